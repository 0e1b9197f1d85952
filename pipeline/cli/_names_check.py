"""The check of `pipeline doctor` for variables that nobody reads: misspelt names, and those that Kubernetes sets."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from difflib import get_close_matches
from pathlib import Path
from typing import Final

from pipeline.cli._checks import CheckState, Finding, listed
from pipeline.settings import PREFIX, Settings, is_service_link

OTHERS: Final = frozenset(
    {
        "PIPELINE_API_KEY",
        "PIPELINE_APPLICATION",
        "PIPELINE_DEBUG",
        "PIPELINE_PORTS_FROM",
        "PIPELINE_SANDBOX_ACCOUNTS",
        "PIPELINE_SANDBOX_URL",
        "PIPELINE_TESTING",
    }
)
"""Variables that are no settings of a process."""
_LINK: Final = re.compile(r"_(?:SERVICE_HOST|SERVICE_PORT(?:_\w+)?|PORT(?:_\d+_(?:TCP|UDP|SCTP)(?:_\w+)?)?)$")
_REFERENCE: Final = re.compile(r"env:(\w+)")


def check_names(environ: Mapping[str, str], tenants_file: Path | None) -> list[Finding]:
    """Return a finding for each variable with our prefix that nothing reads, and one for all that Kubernetes set."""
    known = {f"{PREFIX}{name.upper()}" for name in Settings.model_fields} | OTHERS
    unknown = sorted({name for name in environ if name.startswith(PREFIX)} - known - _referred(tenants_file))
    links = [name for name in unknown if _is_link(name, environ)]
    return [*(_misspelt(name, known) for name in unknown if name not in links), *_links(links)]


def _misspelt(name: str, known: set[str]) -> Finding:
    nearest = get_close_matches(name, known, 1)
    hint = f"did you mean {nearest[0]}?" if nearest else "remove it, or look its name up in docs/configuration.md"
    return Finding(CheckState.WARNING, "settings", f"nothing reads {name}: {hint}")


def _links(names: list[str]) -> Iterator[Finding]:
    if names:
        text = f"Kubernetes sets {listed(names)} for services whose names begin with pipeline: set enableServiceLinks: "
        yield Finding(CheckState.WARNING, "settings", f"{text}false in the pod, because one may hide a setting")


def _is_link(name: str, environ: Mapping[str, str]) -> bool:
    """Return True for a name of the form that Kubernetes gives to a service's variables."""
    return _LINK.search(name) is not None and (
        "_SERVICE_" in name or "_PORT_" in name or is_service_link(environ[name])
    )


def _referred(tenants_file: Path | None) -> set[str]:
    """Return the variables that the tenants file takes secrets from."""
    try:
        return set(_REFERENCE.findall(tenants_file.read_text(encoding="utf-8"))) if tenants_file else set()
    except (OSError, UnicodeDecodeError):
        return set()
