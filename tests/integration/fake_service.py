"""A child for the supervisor's tests: answers /readyz, and writes down when it is told to stop."""

from __future__ import annotations

import signal
import sys
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from types import FrameType


class Ready(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        self.send_response(200)
        self.end_headers()


def main(name: str, port: int, journal: Path, temper: str) -> None:
    def told(_number: int, _frame: FrameType | None) -> None:
        with journal.open("a") as file:
            file.write(f"{name}\n")
        if temper != "stubborn":
            raise SystemExit(0)

    signal.signal(signal.SIGTERM, told)
    print(f"{name} was here", flush=True)
    if temper == "broken":
        raise SystemExit(f"{name} can't go on")
    HTTPServer(("127.0.0.1", port), Ready).serve_forever()


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]), Path(sys.argv[3]), sys.argv[4])
