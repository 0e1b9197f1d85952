"""docker-compose.yml: the same stack as `pipeline up`, in containers."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import jsonschema
import pytest
import yaml

from pipeline.local import services as local
from pipeline.local.compose import compose
from pipeline.local.ports import Ports

ROOT = Path(__file__).parents[3]
SCHEMA = ROOT / "tests" / "data" / "compose-spec.json"


@pytest.fixture(scope="module")
def document() -> dict[str, Any]:
    loaded: dict[str, Any] = yaml.safe_load((ROOT / "docker-compose.yml").read_text())
    return loaded


def test_the_file_is_what_the_services_make() -> None:
    """Docker users would run other commands or settings than `pipeline up` does."""
    assert (ROOT / "docker-compose.yml").read_text() == compose(), (
        "run: python -m pipeline.local.compose > docker-compose.yml"
    )


def test_it_follows_the_compose_specification(document: dict[str, Any]) -> None:
    """`docker compose up` would refuse the file, for every Docker user."""
    schema = json.loads(SCHEMA.read_text())
    jsonschema.Draft202012Validator(schema).validate(document)


@pytest.mark.parametrize("verb", local.VERBS, ids=lambda verb: verb.name)
def test_each_container_runs_the_command_of_up(verb: local.Verb, document: dict[str, Any], tmp_path: Path) -> None:
    """A fix found with `pipeline up` would not hold in containers, where another command runs."""
    planned = {service.name: service for service in local.services(Ports(), tmp_path, {})}
    assert planned[verb.name].argv == [*local.COMMAND, *document["services"][verb.name]["command"]]


def test_no_container_is_told_of_loopback(document: dict[str, Any]) -> None:
    """A container would look for Kafka, Redis or the sandbox inside itself."""
    for name, service in document["services"].items():
        assert "127.0.0.1" not in str(service.get("environment", {})), name


def test_a_service_waits_for_services_that_exist(document: dict[str, Any]) -> None:
    """A container would start before what it needs, or Docker would refuse the file."""
    services = document["services"]
    for service in services.values():
        for name, needed in service.get("depends_on", {}).items():
            has_check = "healthcheck" in services[name]
            assert needed["condition"] == ("service_healthy" if has_check else "service_completed_successfully")


def test_ports_are_published_on_loopback_only(document: dict[str, Any]) -> None:
    """The sandbox's open endpoints would be reachable from the network of a developer's machine."""
    published = [port for service in document["services"].values() for port in service.get("ports", [])]
    assert published
    assert all(port.startswith("127.0.0.1:") for port in published)


def test_every_volume_is_declared(document: dict[str, Any]) -> None:
    """Docker would refuse the file, or data would land in an anonymous volume and be lost."""
    named = {
        volume.split(":")[0]
        for service in document["services"].values()
        for volume in service.get("volumes", [])
        if not volume.startswith(".")
    }
    assert named == set(document["volumes"])


def test_the_image_runs_without_root() -> None:
    """A hole in the ingress would hand over the container's root."""
    lines = (ROOT / "Dockerfile").read_text().splitlines()
    users = [line.split()[1] for line in lines if line.startswith("USER ")]
    assert users
    assert users[-1] not in ("root", "0")
    assert 'ENTRYPOINT ["pipeline"]' in lines


def test_the_image_context_has_no_secret() -> None:
    """A developer's .env would be baked into an image that is pushed."""
    rules = (ROOT / ".dockerignore").read_text().splitlines()
    assert rules[0] == "*"
    assert not any(re.match(r"!\.env", rule) for rule in rules)
