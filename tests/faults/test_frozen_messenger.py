"""A messenger that stands still between an intent and its call, while its group goes on without it."""

from __future__ import annotations

import asyncio
import json
import signal
import threading
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from pipeline.local.kafka import Kafka
from pipeline.runtime.kafka import admin
from pipeline.topics.commands import CommandKind
from tests.faults.messenger_worker import Messenger, command, publish, tenant
from tests.integration.installation import PARTITIONS, TOPICS, without_topics
from tests.support.stacks import eventually
from tests.support.waiting import HANG

pytestmark = pytest.mark.integration
NUMBER = "106540352242922"
SESSION = 6


class Api(ThreadingHTTPServer):
    """Stands for the Cloud API: counts calls by their command, and keeps some answers until `answers`.

    Those are the answer to the first message, and the first link of a group that somebody asks for.
    """

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.calls: Counter[str] = Counter()
        self.links = 0
        self.answers = threading.Event()


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: Api

    def do_GET(self) -> None:
        self.server.links += 1
        if self.server.links == 1:
            self.server.answers.wait(HANG)
        self._answer({"invite_link": "https://chat.whatsapp.com/invite"})

    def do_POST(self) -> None:
        message = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        name = message["biz_opaque_callback_data"].partition(".")[0]
        self.server.calls[name] += 1
        if self.server.calls.total() == 1:
            self.server.answers.wait(HANG)
        self._answer({"messages": [{"id": f"wamid.{name}"}]})

    def _answer(self, content: object) -> None:
        body = json.dumps(content).encode()
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 (its base class says so)
        """Nothing: the test counts."""


@contextmanager
def _api() -> Iterator[Api]:
    api = Api()
    threading.Thread(target=api.serve_forever, daemon=True).start()
    try:
        yield api
    finally:
        api.answers.set()
        api.shutdown()
        api.server_close()


def _messenger(kafka: Kafka, place: Path, name: str, api: Api) -> Messenger:
    tenants = [tenant("acme", NUMBER, f"http://127.0.0.1:{api.server_port}")]
    return Messenger(kafka, place, name, tenants, SESSION_TIMEOUT=SESSION, RECONCILE_WINDOW=0.5)


def test_a_call_that_a_frozen_messenger_was_about_to_make_is_not_made_when_it_thaws(
    kafka: Kafka, tmp_path: Path
) -> None:
    """A person would get a message twice: from who took over, and from the paused machine when it goes on."""
    with without_topics(kafka.bootstrap), _api() as api:
        asyncio.run(admin.create(kafka.bootstrap, TOPICS, PARTITIONS, 1))
        workers = [_messenger(kafka, tmp_path, name, api) for name in ("one", "two")]
        try:
            for worker in workers:
                worker.wait_ready()
            _freeze_between_intent_and_call(kafka.bootstrap, api, workers)
        finally:
            for worker in workers:
                worker.signal(signal.SIGCONT)
                worker.signal(signal.SIGKILL)
                worker.wait()
    assert api.calls["cmd-second"] == 1


def _freeze_between_intent_and_call(bootstrap: str, api: Api, workers: list[Messenger]) -> None:
    """The second command asks for a group's link before its message: then its intent is written already."""
    publish(bootstrap, [command("cmd-first", "acme", NUMBER, "15550001111")])
    eventually(lambda: api.calls["cmd-first"], "the call whose answer is kept")
    frozen = next(worker for worker in workers if worker.metric("pipeline_records_in_progress"))
    invite = {"kind": CommandKind.GROUP_INVITE, "body": {"group_id": "group"}}
    publish(bootstrap, [command("cmd-second", "acme", NUMBER, "15550002222", **invite)])
    eventually(lambda: api.links, "the request for the link, whose answer is kept")
    frozen.signal(signal.SIGSTOP)
    eventually(lambda: api.calls["cmd-second"], "the call of who took over")
    api.answers.set()
    frozen.signal(signal.SIGCONT)
    # It has an answer to write down, finds that another has written, and ends.
    frozen.wait_for_end()
