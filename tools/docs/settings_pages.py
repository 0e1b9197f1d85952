"""`.env.example` and `docs/configuration.md`, generated from `pipeline.settings`."""

from __future__ import annotations

import textwrap
from collections.abc import Iterator, Mapping
from pathlib import Path
from types import NoneType
from typing import Final, Literal, NamedTuple, get_args, get_origin

from pydantic import BaseModel
from pydantic.fields import FieldInfo
from pydantic_settings import BaseSettings

from pipeline.settings import PREFIX, Addresses, Networks, Settings, Unit

_EXAMPLE_HEAD: Final = """\
# Every setting, with its default. Copy this file to .env and uncomment what you change; variables of the environment
# win over it. `pipeline up` tells its processes where its own Kafka, Redis and sandbox are; the ports below move them.
# Generated from pipeline/settings.py: `make reference`.
"""

_EXAMPLE_TAIL: Final = """
# Spans go to this collector, with the extra `otel`
#OTEL_EXPORTER_OTLP_ENDPOINT=http://127.0.0.1:4318

# Secrets that your tenants file names as env:NAME go here too, e.g.
#ACME_APP_SECRET=
#ACME_ACCESS_TOKEN=
"""

_PAGE_HEAD: Final = """\
# Configuration

You set everything with environment variables or a file `.env`.
Variables of the environment win over the file.
[.env.example](../.env.example) has all of them with their defaults: copy it to `.env` and uncomment what you change.
`pipeline doctor` checks the result.

Tenants, accounts and secrets are in a file of their own ([providers](providers.md#setting-one-up)).
[Reliability: settings](reliability-settings.md) says which settings the promises need.
This page is generated from the code by `make reference`.
"""

_TYPES: Final = {int: "integer", float: "number", str: "text", Path: "path"}
_BOUNDS: Final = {"ge": "from", "gt": "above", "le": "up to", "min_length": "characters from"}


class Setting(NamedTuple):
    """One setting: its variable and the field that declares it."""

    variable: str
    field: FieldInfo

    @property
    def default(self) -> str:
        """The default as a line of `.env` has it."""
        value = self.field.default
        if value is None or value == ():
            return ""
        return f"{value:g}" if isinstance(value, float) and value.is_integer() else str(value)

    @property
    def line(self) -> str:
        """A line of `.env`: the default, or an example where there is none."""
        return f"{self.variable}={self.default or next(iter(self.field.examples or ()), '')}"

    @property
    def unit(self) -> str:
        return next((each.name for each in self.field.metadata if isinstance(each, Unit)), "")

    @property
    def kind(self) -> str:
        """The type, for people."""
        annotation = self.field.annotation
        if get_origin(annotation) is Literal:
            return "one of " + ", ".join(f"`{each}`" for each in get_args(annotation))
        if annotation in get_args(Networks):
            return "addresses and networks"
        if annotation in get_args(Addresses):
            return "addresses"
        plain = [each for each in get_args(annotation) if each is not NoneType] or [annotation]
        if get_origin(plain[0]) is Mapping:
            return "`name=seconds`, comma separated"
        return _TYPES.get(plain[0], "secret text")

    @property
    def bounds(self) -> str:
        """The bounds of a number, such as `from 1`; empty without."""
        named = ((each, name) for each in self.field.metadata for name in _BOUNDS if hasattr(each, name))
        return " ".join(f"{_BOUNDS[name]} {getattr(each, name)}" for each, name in named)


def groups() -> Iterator[tuple[str, list[Setting]]]:
    """Yield each group's title and settings, in the order of `Settings`."""
    for each in Settings.__bases__:
        if issubclass(each, BaseModel) and not issubclass(each, BaseSettings):
            fields = each.model_fields.items()
            yield str(each.__doc__), [Setting(f"{PREFIX}{name}".upper(), field) for name, field in fields]


def example() -> str:
    """Return `.env.example`."""
    parts = [f"\n# --- {title}\n{''.join(map(_example_lines, settings))}" for title, settings in groups()]
    return _EXAMPLE_HEAD + "".join(parts) + _EXAMPLE_TAIL


def _example_lines(setting: Setting) -> str:
    unit = f" In {setting.unit}." if setting.unit else ""
    comment = textwrap.fill(f"{setting.field.description}{unit}", 118, initial_indent="# ", subsequent_indent="# ")
    return f"{comment}\n#{setting.line}\n"


def page() -> str:
    """Return `docs/configuration.md`."""
    parts = [f"\n## {title}\n{''.join(map(_section, settings))}" for title, settings in groups()]
    return _PAGE_HEAD + "".join(parts)


def _section(setting: Setting) -> str:
    facts = {"Type": f"{setting.kind} {setting.bounds}".strip(), "Unit": setting.unit}
    lines = "".join(f"- {name}: {fact}\n" for name, fact in facts.items() if fact)
    example = "\nNot set by default, for example:\n" if setting.field.examples else ""
    about = setting.field.description
    return f"\n### {setting.variable}\n\n{about}\n\n{lines}{example}\n```dotenv\n{setting.line}\n```\n"
