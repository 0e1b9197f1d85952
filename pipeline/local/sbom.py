"""The bill of materials (CycloneDX 1.5, JSON): all packages of the locks and all jars. `make sbom` writes it."""

from __future__ import annotations

import re
import sys
import tomllib
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final, NamedTuple

import orjson

from pipeline.local.jars import Pin, pinned

ROOT: Final = Path(__file__).parents[2]
LOCK: Final = "requirements.lock"
IMAGE_LOCK: Final = "requirements.image.lock"

_PINNED: Final = re.compile(r"^([A-Za-z0-9._-]+)==([^\s;\\]+)")
_HASH: Final = re.compile(r"--hash=sha256:([0-9a-f]{64})")


class Package(NamedTuple):
    """A package of a lock. `hashes`: SHA-256 of its files, one of which pip installs."""

    name: str
    version: str
    hashes: tuple[str, ...]


def packages(lock: str) -> Iterator[Package]:
    """Yield the packages of a lock file's text."""
    for entry in lock.replace("\\\n", " ").splitlines():
        if found := _PINNED.match(entry):
            yield Package(found[1], found[2], tuple(_HASH.findall(entry)))


def sbom(root: Path = ROOT) -> dict[str, Any]:
    """Return the document. Packages of the image are `required`, those of `pipeline up` and the tests `optional`."""
    project = tomllib.loads((root / "pyproject.toml").read_text())["project"]
    shipped = {each.name for each in packages((root / IMAGE_LOCK).read_text())}
    found = [_package(each, each.name in shipped) for each in packages((root / LOCK).read_text())]
    components = [*found, *map(_jar, pinned())]
    return {
        "bomFormat": "CycloneDX",
        "specVersion": "1.5",
        "serialNumber": f"urn:uuid:{uuid.uuid5(uuid.NAMESPACE_URL, repr(components))}",
        "version": 1,
        "metadata": {"component": {"type": "application", "name": project["name"], "version": project["version"]}},
        "components": components,
    }


def _package(each: Package, required: bool) -> dict[str, Any]:
    return _component(each.name, each.version, f"pkg:pypi/{each.name}@{each.version}", each.hashes, required)


def _jar(pin: Pin) -> dict[str, Any]:
    purl = f"pkg:maven/{pin.group}/{pin.artifact}@{pin.version}"
    return {"group": pin.group} | _component(pin.artifact, pin.version, purl, (pin.sha256,), required=False)


def _component(name: str, version: str, purl: str, hashes: tuple[str, ...], required: bool) -> dict[str, Any]:
    return {
        "type": "library",
        "name": name,
        "version": version,
        "purl": purl,
        "bom-ref": purl,
        "scope": "required" if required else "optional",
        "hashes": [{"alg": "SHA-256", "content": each} for each in hashes],
    }


if __name__ == "__main__":
    sys.stdout.buffer.write(orjson.dumps(sbom(), option=orjson.OPT_INDENT_2 | orjson.OPT_APPEND_NEWLINE))
