"""What is installed is what was locked: the image, its base, the jars, and the list of them all."""

from __future__ import annotations

import re
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

from pipeline.local.jars import pinned
from pipeline.local.sbom import IMAGE_LOCK, LOCK, Package, packages, sbom
from tools.install import progress

ROOT = Path(__file__).parents[3]
DOCKERFILE = (ROOT / "Dockerfile").read_text()
RUN_LOCK = "requirements.run.lock"
DIGEST = "sha256:" + "0123456789abcdef" * 4


def steps(kind: str) -> list[str]:
    """The Dockerfile's steps of a kind, each on one line."""
    joined = re.sub(r"\\\n\s*", "", DOCKERFILE)
    return [line.removeprefix(kind).strip() for line in joined.splitlines() if line.startswith(kind + " ")]


def locked(name: str) -> dict[str, Package]:
    return {each.name: each for each in packages((ROOT / name).read_text())}


def test_the_image_takes_no_file_without_its_hash() -> None:
    """A package that was replaced at its registry would run with every tenant's tokens."""
    installs = [step for step in steps("RUN") if "pip install" in step]
    assert len(installs) == 2
    dependencies, project = installs
    for option in ("--require-hashes", "--no-deps", "--only-binary=:all:", f"-r {IMAGE_LOCK}"):
        assert option in dependencies
    for option in ("--no-deps", "--no-build-isolation", "--no-index"):
        assert option in project, "a build would fetch what no lock names"


def test_the_base_is_an_argument() -> None:
    """A release could not name the base that it was tested with, but only a tag that moves."""
    assert steps("ARG") == ["BASE=python:3.12-slim"]
    assert steps("FROM") == ["${BASE} AS build", "${BASE}"]
    assert DOCKERFILE.index("ARG BASE") < DOCKERFILE.index("FROM")


def test_nothing_but_the_base_is_fetched_by_a_tag() -> None:
    """A `syntax` line fetches the program that reads this file, by a name under which another may be tomorrow."""
    assert "syntax=" not in DOCKERFILE


def test_the_site_is_built_by_pinned_tools() -> None:
    """A tool of the site, or the script that it serves, could be another one tomorrow."""
    group = tomllib.loads((ROOT / "pyproject.toml").read_text())["dependency-groups"]["docs"]
    found = locked("requirements.docs.lock")
    assert {f"{each.name}=={each.version}" for each in found.values()} >= set(group)
    assert [each.name for each in found.values() if not each.hashes] == []
    assert "--require-hashes -r requirements.docs.lock" in (ROOT / "Makefile").read_text()


@pytest.mark.parametrize("name", [LOCK, RUN_LOCK, IMAGE_LOCK])
def test_every_locked_package_has_its_hashes(name: str) -> None:
    """pip would refuse the lock, or take whatever it gets for that package."""
    found = locked(name)
    assert len(found) == sum(line[:1].isalnum() for line in (ROOT / name).read_text().splitlines()) > 40
    assert [each.name for each in found.values() if not each.hashes] == []


@pytest.mark.parametrize("name", [RUN_LOCK, IMAGE_LOCK])
def test_what_runs_is_what_was_tested(name: str) -> None:
    """The image, or `make run`, would have other versions than the tests did."""
    tested = locked(LOCK)
    assert {each.name: tested.get(each.name) for each in locked(name).values()} == locked(name)


def test_make_run_installs_what_running_needs_and_no_tool(tmp_path: Path) -> None:
    """A newcomer would wait for type checkers and a Node runtime before the first echo, or not get Kafka."""
    extras = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["optional-dependencies"]
    shipped = set(locked(RUN_LOCK))
    assert set(locked(IMAGE_LOCK)) | names(extras["local"]) <= shipped
    assert not shipped & names(extras["dev"])
    for target, lock in (("run", RUN_LOCK), ("test", LOCK), ("lint", LOCK)):
        assert _would_install(target, tmp_path / "none") == [lock]
    (tmp_path / ".installed").touch()
    assert RUN_LOCK not in _would_install("run", tmp_path)


def _would_install(target: str, venv: Path) -> list[str]:
    """Return the locks that a target of make would install into an environment."""
    argv = ["make", "--dry-run", "--no-print-directory", target, f"VENV={venv}"]
    said = subprocess.run(argv, cwd=ROOT, capture_output=True, text=True, check=True).stdout
    return re.findall(r"tools/install\.py (\S+)", said)


def names(requirements: list[str]) -> set[str]:
    return {re.split(r"[<>=\[; ]", each)[0].lower() for each in requirements}


def test_an_installation_shows_how_far_it_is_and_why_it_fails(tmp_path: Path) -> None:
    """A newcomer would look at nothing for a minute, and after an error at nothing at all."""
    said = ["Collecting aiohttp==3 (from -r x)\n", "  Downloading a.whl\n", "Ignoring colorama: markers\n"]
    said.append("Installing collected packages: a, b\n")
    assert "".join(progress(said, 2, overwrite=True)).split("\r\x1b[K") == [
        *("", "  1 of 2  aiohttp", "  2 of 2  colorama", "  unpacking 2 packages ...", "")
    ]
    assert list(progress(said[:1] * 20, 20, overwrite=False)) == ["  10 of 20\n", "  20 of 20\n"]
    lock = tmp_path / "requirements.lock"
    for content, status in (("pip\n", 0), (f"{tmp_path}/no_such-1-py3-none-any.whl\n", 1)):
        lock.write_text(content)
        argv = [sys.executable, str(ROOT / "tools" / "install.py"), str(lock)]
        done = subprocess.run(argv, capture_output=True, text=True, check=False)
        assert done.returncode == status, done.stdout + done.stderr
        assert ("done in" in done.stdout, "no_such" in done.stderr) == (status == 0, status == 1)


def test_the_image_has_every_dependency_and_no_tool() -> None:
    """A worker would not start, or the image would carry compilers and test tools for an intruder."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    shipped = set(locked(IMAGE_LOCK))
    assert names(project["dependencies"]) | {"setuptools"} <= shipped
    assert not shipped & (names(project["optional-dependencies"]["dev"]) - {"types-pyyaml"})


@pytest.mark.parametrize(
    ("base", "status"),
    [
        (f"python:3.12-slim@{DIGEST}", 0),
        (f"registry.example:5000/mirror/python@{DIGEST}", 0),
        ("", 1),
        ("python:3.12-slim", 1),
        ("python:3.12-slim@sha256:abc", 1),
        (f"python:3.12-slim@{DIGEST}0", 1),
        (f"python:3.12-slim@{DIGEST}; true", 1),
        (f"python@{DIGEST}\npython:3.12-slim", 1),
    ],
)
def test_a_release_is_built_on_a_digest_only(base: str, status: int) -> None:
    """A tag names another base tomorrow, with whatever was put into it."""
    done = subprocess.run([ROOT / ".ci" / "release", base], capture_output=True, text=True, check=False)
    assert done.returncode == status
    assert status == 0 or "no digest" in done.stderr


def test_make_image_asks_the_release_check_first() -> None:
    """The check would be there, and nobody would run it."""
    done = subprocess.run(
        ["make", "image", "BASE=python:3.12-slim"], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert done.returncode != 0
    assert "no digest" in done.stderr
    assert "docker build" not in done.stdout


def test_the_bill_of_materials_names_everything() -> None:
    """Whoever asks whether a broken library is in it would be told no."""
    document = sbom()
    assert (document["bomFormat"], document["specVersion"]) == ("CycloneDX", "1.5")
    components = document["components"]
    refs = [each["bom-ref"] for each in components]
    assert len(set(refs)) == len(refs) == len(locked(LOCK)) + len(pinned())
    for package in locked(LOCK).values():
        assert f"pkg:pypi/{package.name}@{package.version}" in refs
    required = {each["name"] for each in components if each["scope"] == "required"}
    assert required == set(locked(IMAGE_LOCK))
    assert all(re.fullmatch(r"[0-9a-f]{64}", found["content"]) for each in components for found in each["hashes"])
    assert "pkg:maven/org.apache.kafka/kafka_2.13@4.3.0" in refs
    assert document == sbom(), "the same locks give the same document"
