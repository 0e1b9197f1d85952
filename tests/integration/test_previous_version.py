"""The version before this one, and this one on what it wrote: topics, tables, Redis and the data folder."""

from __future__ import annotations

import signal
import subprocess
import sys
import tarfile
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.support.observers import get, request
from tests.support.ports import free_ports
from tests.support.stacks import ROOT, Process, Stack, eventually
from tests.support.webhooks import change, signed, text, webhook

pytestmark = [
    pytest.mark.integration,
    pytest.mark.skipif(sys.version_info >= (3, 14), reason="version 0.1.0 does not run on this Python"),
]

PREVIOUS = ROOT / "tests" / "data" / "previous" / "pipeline-0.1.0.tar.xz"
"""The wheel of version 0.1.0, unpacked: `pipeline` and its metadata."""
HANDLER = """
from pipeline.handlers import EventHandler

class Counting(EventHandler):
    async def process_message(self, webhook):
        count = await self.cache_factory.create_user_cache().increment_field("visits", "count")
        await self.messenger.send_text(f"{count} {webhook.get_message_text()}", webhook.user.user_id)
"""
APPS = ("intake", "handlers", "messenger")
PARKING = ("handlers", "messenger")
"""The apps that park records. Version 0.1.0 does not, so its workers share no group with those of this version."""
WAITS = "group_waiting_for_other_version"
CONTACTS = [f"1555000{number:04d}" for number in range(12)]


@pytest.fixture
def shop(tmp_path: Path) -> Path:
    """A folder with the previous version in `previous` and a handler beside it."""
    with tarfile.open(PREVIOUS) as archive:
        archive.extractall(tmp_path / "previous", filter="data")
    (tmp_path / "counting.py").write_text(HANDLER)
    return tmp_path


def _env(shop: Path, code: Path) -> dict[str, str]:
    sample = str(ROOT / "examples" / "tenants.yaml")
    return {
        "PIPELINE_HANDLER": "counting.Counting",
        "PIPELINE_TENANTS": sample,
        "PIPELINE_SESSION_TIMEOUT": "8",
        "PYTHONPATH": f"{code}:{shop}",
    }


def _stack(shop: Path, first: int, name: str, code: Path) -> Stack:
    stack = Stack(first, shop / "data", shop / f"{name}.out", (), _env(shop, code), cwd=shop)
    stack.wait_ready()
    return stack


@contextmanager
def _workers_beside(stack: Stack, shop: Path) -> Iterator[dict[str, Process]]:
    """One more worker of each app, of this version, beside those of `stack`; yields them when each is ready."""
    settings = {
        "PIPELINE_KAFKA": stack.bootstrap,
        "PIPELINE_REDIS": stack.redis_url,
        "PIPELINE_SANDBOX_URL": stack.sandbox_url,
        "PIPELINE_PARTITIONS": "8",
        "PIPELINE_REPLICATION": "1",
        "PIPELINE_DATA_DIR": str(shop / "beside"),
    }
    workers: dict[str, Process] = {}
    ports = [free_ports() for _ in APPS]
    create = [sys.executable, "-m", "pipeline.cli", "topics", "create"]  # as the changelog says: first of all
    subprocess.run(create, env=_env(shop, ROOT) | settings, cwd=shop, check=True, capture_output=True)
    try:
        for app, port in zip(APPS, ports, strict=True):
            env = _env(shop, ROOT) | settings | {"PIPELINE_WORKER_PORT": str(port)}
            argv = [sys.executable, "-m", "pipeline.cli", "worker", app]
            workers[app] = Process(argv, shop / f"{app}.out", env, cwd=shop)
        ready = [f"http://127.0.0.1:{port}/readyz" for port in ports]
        eventually(lambda: all(_status(url) == 200 for url in ready), lambda: _outputs(workers))
        yield workers
    finally:
        for worker in workers.values():
            worker.signal(signal.SIGTERM)
        for worker in workers.values():
            worker.wait()


def _status(url: str) -> int:
    try:
        return request(url)
    except OSError:
        return 0


def _post(stack: Stack, contact: str, number: int) -> None:
    body = webhook([change([text(contact, f"wamid.{contact}.{number}", f"message {number}")])])
    assert request(f"{stack.ingress_url}/webhooks/cloud", body, signed(body)) == 200


def _replies(stack: Stack) -> Counter[tuple[str, str]]:
    return Counter((each["to"], each["body"]["body"]) for each in get(f"{stack.sandbox_url}/_sandbox/sent"))


def _idle(stack: Stack) -> bool:
    ports = (stack.ports.intake, stack.ports.handlers, stack.ports.messenger)
    return all(stack.in_progress(port) == 0 for port in ports)


@pytest.mark.long
def test_this_version_goes_on_where_the_previous_one_was_killed(shop: Path) -> None:
    """An upgrade would lose the backlog, answer a redelivery again, or forget what handlers had stored."""
    first = free_ports()
    old = _stack(shop, first, "old", shop / "previous")
    try:
        for contact in CONTACTS:
            _post(old, contact, 1)
        answered = Counter((contact, "1 message 1") for contact in CONTACTS)
        eventually(lambda: _replies(old) == answered, lambda: f"the first replies: {_replies(old)}")
        eventually(lambda: _idle(old), "idle workers")
        old.child("handlers").send_signal(signal.SIGSTOP)
        for contact in CONTACTS:
            _post(old, contact, 2)
    finally:
        assert "[pipeline.runtime.worker]" in old.log("handlers")  # where 0.1.0 logs from
        old.kill()
    new = _stack(shop, first, "new", ROOT)
    try:
        for contact in CONTACTS:
            _post(new, contact, 1)
            _post(new, contact, 3)
        expected = Counter((contact, f"{number} message {number}") for contact in CONTACTS for number in (2, 3))
        eventually(lambda: _replies(new) >= expected, lambda: f"the replies: {_replies(new)}")
        eventually(lambda: _idle(new), "idle workers")
        assert _replies(new) == expected
        assert get(f"{new.sandbox_url}/_sandbox/violations") == []
    finally:
        new.stop()


@pytest.mark.long
def test_workers_of_this_version_take_over_once_those_of_the_previous_one_have_left(shop: Path) -> None:
    """A rolling upgrade would stand still, lose a message, answer one twice, or turn a conversation's order around."""
    numbers = range(1, 7)
    stack = _stack(shop, free_ports(), "old", shop / "previous")
    try:
        _post_all(stack, numbers[:2])
        with _workers_beside(stack, shop) as workers:
            eventually(lambda: all(WAITS in workers[app].output for app in PARKING), lambda: _outputs(workers))
            _post_all(stack, numbers[2:4])
            eventually(lambda: _in_order(stack, numbers[:4]), lambda: f"the replies: {_replies(stack)}")
            for app in PARKING:
                stack.child(app).send_signal(signal.SIGSTOP)  # the group gives them up
            _post_all(stack, numbers[4:])
            eventually(lambda: _in_order(stack, numbers), lambda: f"the replies: {_replies(stack)}")
        assert get(f"{stack.sandbox_url}/_sandbox/violations") == []
    finally:
        stack.kill()


def _post_all(stack: Stack, numbers: range) -> None:
    for number in numbers:
        for contact in CONTACTS:
            _post(stack, contact, number)


def _in_order(stack: Stack, numbers: range) -> bool:
    """True once every message of every contact has its one answer, in order. Raises if one has two."""
    expected = [f"{number} message {number}" for number in numbers]
    found = [_bodies(stack, contact) for contact in CONTACTS]
    assert all(bodies == expected[: len(bodies)] for bodies in found), found
    return all(bodies == expected for bodies in found)


def _outputs(workers: dict[str, Process]) -> str:
    return "".join(worker.output for worker in workers.values())


def _bodies(stack: Stack, contact: str) -> list[str]:
    return [each["body"]["body"] for each in get(f"{stack.sandbox_url}/_sandbox/sent") if each["to"] == contact]
