"""A stand-in for the Cloud API inside the test: it keeps the calls in their order, and can be away for some numbers."""

from __future__ import annotations

import json
import threading
from collections import defaultdict
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import NamedTuple


class Sent(NamedTuple):
    """One accepted message."""

    account: str
    recipient: str
    command_id: str


class CloudApi(ThreadingHTTPServer):
    """Accepts all messages, except those of accounts that are `away`, which it answers with 503.

    Attributes:
        sent: the accepted messages, in the order of their calls.
        refused: number of calls that were answered with 503.
    """

    daemon_threads = True
    request_queue_size = 128

    def __init__(self, port: int = 0) -> None:
        super().__init__(("127.0.0.1", port), _Handler)
        self.sent: list[Sent] = []
        self.away: set[str] = set()
        self.refused = 0

    def handle_error(self, request: object, client_address: object) -> None:
        """Say nothing: a client was killed."""

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_port}"

    def by_recipient(self) -> dict[str, list[str]]:
        """Return the commands that each recipient got, in order."""
        found: defaultdict[str, list[str]] = defaultdict(list)
        for each in list(self.sent):
            found[each.recipient].append(each.command_id)
        return found

    def count(self, account: str) -> int:
        """Return the number of accepted messages of an account."""
        return sum(each.account == account for each in list(self.sent))


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    server: CloudApi

    def do_POST(self) -> None:
        message = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        _, _version, account, _ = self.path.split("/")
        if account in self.server.away:
            self.server.refused += 1
            self._answer(503, b"")
            return
        name = message["biz_opaque_callback_data"].partition(".")[0]
        self.server.sent.append(Sent(account, message["to"], name))
        self._answer(200, json.dumps({"messages": [{"id": f"wamid.{name}"}]}).encode())

    def _answer(self, status: int, body: bytes) -> None:
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 (its base class says so)
        """Log nothing: the test counts."""


@contextmanager
def cloud_api(port: int = 0) -> Iterator[CloudApi]:
    """Serve on a port; 0: a free one."""
    api = CloudApi(port)
    threading.Thread(target=api.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True).start()
    try:
        yield api
    finally:
        api.shutdown()
        api.server_close()
