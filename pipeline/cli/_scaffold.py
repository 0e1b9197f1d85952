"""Shared parts of `pipeline new-agent` and `pipeline new-handler`: names, files, and the line in the tenants file."""

from __future__ import annotations

import re
from collections.abc import Iterator
from importlib.util import find_spec
from keyword import iskeyword
from pathlib import Path
from typing import Final, NamedTuple

import pipeline
from pipeline.errors import UsageError

_NAME: Final = re.compile(r"[a-z][a-z0-9_]{0,49}")


class Home(NamedTuple):
    """A package's folder, from the working directory, and its dotted name."""

    folder: Path
    package: str


class Templates(NamedTuple):
    """The templates of a module and of its test."""

    module: str
    test: str


def home(package: str | None, in_checkout: str) -> Home:
    """Return the package for new files: the named one, the checkout's own, or the only one here.

    If there is none, it is named after the working directory. Raise `UsageError` for a name that another package has.
    """
    own = Path(pipeline.__path__[0])
    if package is None and Path("pipeline").is_dir() and own.samefile("pipeline"):
        return Home(Path(in_checkout), f"pipeline.{in_checkout.replace('/', '.')}")
    name = checked_name(package or _only_package() or re.sub(r"[^a-z0-9]+", "_", Path.cwd().name.lower()).strip("_"))
    if not Path(name).is_dir() and find_spec(name) is not None:
        raise UsageError(f"{name} is another package's name: name yours with --package, as in --package my_shop")
    return Home(Path(name), name)


def _only_package() -> str | None:
    """Return the only package of the working directory, except tests; None if there is none or several."""
    found = [each.parent.name for each in Path().glob("*/__init__.py") if each.parent.name != "tests"]
    return found[0] if len(found) == 1 else None


def checked_name(name: str) -> str:
    """Return a name for a module. Raise `UsageError`."""
    plain = name.replace("-", "_")
    if not _NAME.fullmatch(plain) or iskeyword(plain):
        raise UsageError(f"{name!r} can't name a module: use small letters, digits and _, as in order_status")
    return plain


def class_name(name: str) -> str:
    return "".join(part.capitalize() for part in name.split("_"))


def tests_folder() -> Path:
    """Return the folder of this project's unit tests."""
    unit = Path("tests/unit")
    return unit if unit.is_dir() else Path("tests")


def write(files: dict[Path, str]) -> None:
    """Write all files or none. Raise `UsageError` if one is there already."""
    for path in files:
        if path.exists():
            raise UsageError(f"{path} is there already: choose another name, or remove it")
    for path, content in files.items():
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(content)
        print(f"wrote {path}")


def registered(text: str, tenant: str, handler: str) -> str:
    """Return the tenants file with `handler` for `tenant`; nothing else in it changes.

    Raise `UsageError` if there is no such tenant or it has a handler already.
    """
    lines = text.splitlines(keepends=True)
    named = re.compile(rf"(\s*-\s+)id:\s+[\"']?{re.escape(tenant)}[\"']?\s*(#.*)?")
    for number, line in enumerate(lines):
        if found := named.fullmatch(line.rstrip("\n")):
            indent = " " * len(found.group(1))
            if _has_handler(lines[number + 1 :], indent):
                raise UsageError(f"tenant {tenant} has a handler already: change it in the tenants file")
            return "".join([*lines[: number + 1], f"{indent}handler: {handler}\n", *lines[number + 1 :]])
    raise UsageError(f"there is no tenant {tenant!r} in the tenants file: add it, or name another with --tenant")


def _has_handler(after: list[str], indent: str) -> bool:
    """Return True if the tenant whose lines follow in `after` has a handler."""
    for line in after:
        if line.strip() and not line.startswith(indent):
            return False
        if line.startswith(f"{indent}handler:"):
            return True
    return False


def registered_beside(text: str, agent_id: str, path: str, tenant: str | None) -> str:
    """Return the tenants file with an agent beside the handlers, for one tenant or for all; nothing else in it changes.

    Raise `UsageError` if it has an agent with this id already.
    """
    own = f"  - id: {agent_id}\n    agent: {path}\n" + (f"    tenants: [{tenant}]\n" if tenant else "")
    lines = text.splitlines(keepends=True)
    begin = next((n for n, line in enumerate(lines) if re.match(r"agents:\s*(#.*)?$", line)), None)
    if begin is not None:
        if agent_id in _ids("".join(_block(lines[begin + 1 :]))):
            raise UsageError(f"the tenants file has an agent {agent_id} already: choose another name")
        return "".join([*lines[: begin + 1], own, *lines[begin + 1 :]])
    top = next((n for n, line in enumerate(lines) if line.startswith("tenants:")), len(lines))
    return "".join([*lines[:top], "agents:\n", own, *lines[top:]])


def _block(after: list[str]) -> Iterator[str]:
    """Yield the lines of a top-level list, of the lines behind its name."""
    for line in after:
        if line.strip() and not line.startswith((" ", "-", "#")):
            return
        yield line


def _ids(text: str) -> set[str]:
    return set(re.findall(r"^\s*-\s+id:\s+[\"']?([\w-]+)[\"']?\s*(?:#.*)?$", text, re.MULTILINE))


def register_beside(tenants: Path, tenant: str | None, name: str, path: str, files: dict[Path, str]) -> None:
    """Write the files, and name the agent in the tenants file. Raise `UsageError`, before anything is written."""
    if not tenants.is_file():
        raise UsageError(f"there is no tenants file {tenants}: set PIPELINE_TENANTS to yours")
    text = tenants.read_text()
    if tenant and tenant not in _ids(text):
        raise UsageError(f"there is no tenant {tenant!r} in the tenants file: add it, or name another with --tenant")
    after = registered_beside(text, name.replace("_", "-"), path, tenant)
    write(files)
    tenants.write_text(after)
    print(f"{tenants}: it runs beside the handlers from the next `pipeline up` on")
    print(f"Elsewhere run:  pipeline topics create && pipeline worker agent {name.replace('_', '-')}")


def register(tenants: Path, tenant: str | None, handler: str, files: dict[Path, str]) -> None:
    """Write the files, and register the handler in the tenants file or print the line to add. Raise `UsageError`."""
    if not tenants.is_file():
        _without_tenants_file(tenants, tenant, handler, files)
        return
    text = registered(tenants.read_text(), tenant, handler) if tenant else None
    write(files)
    if text is not None:
        tenants.write_text(text)
        print(f"{tenants}: tenant {tenant} has it from the next start on")
    else:
        print(f"To use it, write under your tenant in {tenants}:  handler: {handler}")


def _without_tenants_file(tenants: Path, tenant: str | None, handler: str, files: dict[Path, str]) -> None:
    if tenant:
        raise UsageError(f"there is no tenants file {tenants}: set PIPELINE_TENANTS to yours")
    write(files)
    print(f"To use it, run:  PIPELINE_HANDLER={handler} pipeline up")


def scaffold(
    name: str, tenant: str | None, place: Home, templates: Templates, handler: str, *, beside: bool = False
) -> None:
    """Write a module into `place` and its test, and register it: as a handler, or as an agent beside the handlers.

    In the templates and in `handler`, its dotted path, {name} and the other placeholders are replaced by names that are
    derived from `name`.
    """
    from pipeline.settings import load_settings
    from pipeline.tenants import SAMPLE

    name = checked_name(name)
    title = name.replace("_", " ").capitalize()
    words = {"name": name, "class_name": class_name(name), "title": title, "package": place.package}
    test, init = tests_folder() / f"test_{name}.py", place.folder / "__init__.py"
    files = {place.folder / f"{name}.py": templates.module.format(**words), test: templates.test.format(**words)}
    tenants, path = load_settings().tenants or SAMPLE, handler.format(**words)
    if beside:
        register_beside(tenants, tenant, name, path, files)
    else:
        register(tenants, tenant, path, files)
    if not init.exists():
        init.touch()
    print(f"Now run:  python -m pytest {test}")
