"""`Wappa`: the application object. `run()` starts the whole pipeline on this machine, with its handler."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Final, Literal, NoReturn

from pipeline.errors import UsageError
from pipeline.handlers import EventHandler
from pipeline.wappa.core.account import tenants_file
from pipeline.wappa.core.config.settings import WappaSettings
from pipeline.wappa.core.importable import handler_path
from pipeline.wappa.core.plugins import RedisPlugin
from pipeline.wappa.not_offered import REASONS, reason

Cache = Literal["memory", "json", "redis"]
CACHES: Final = ("memory", "json", "redis")
RUNNING: Final = "PIPELINE_APPLICATION"
"""The variable that is set in the processes of a running application: an application imported there does not start."""


class Wappa:
    """An application: one handler, and the store of its caches.

    >>> app = Wappa(cache="redis")
    >>> app.set_event_handler(MyHandler())
    >>> app.run()

    Args:
        cache: `memory`, `json` or `redis`; by default `PIPELINE_CACHE`, else `redis`. With `memory` the records of
    finished
            events are lost with the process, too: an event may be answered twice.
    """

    def __init__(self, cache: Cache | None = None, **_: Any) -> None:
        if cache is not None and cache not in CACHES:
            raise UsageError(f"there is no cache {cache!r}: choose one of {', '.join(CACHES)}")
        self.cache = cache
        self.event_handler: EventHandler | None = None

    def __getattr__(self, name: str) -> NoReturn:
        raise AttributeError(reason(name) if name in REASONS else f"'Wappa' object has no attribute {name!r}")

    def set_event_handler(self, handler: EventHandler) -> None:
        """Set the handler of every event. Raises `UsageError` for anything that is no handler."""
        if not isinstance(handler, EventHandler):
            raise UsageError(f"{type(handler).__name__} is no handler: make it a subclass of WappaEventHandler")
        self.event_handler = handler

    def add_plugin(self, plugin: object) -> Wappa:
        """Accept `RedisPlugin`, which is no longer needed. Raises `UsageError` for every other plugin."""
        if not isinstance(plugin, RedisPlugin):
            raise UsageError(f"{type(plugin).__name__} has no place in a worker: see docs/from-wappa.md")
        return self

    def run(self, host: str | None = None, port: int | None = None, **_: Any) -> None:
        """Run until Ctrl-C: Kafka, Redis, ingress, workers, and a sandbox if the environment names no account.

        Args:
            host: the address of the ingress; by default 127.0.0.1.
            port: the port of the ingress; by default the variable `PORT`, else 8080.

        It does nothing if one of its own workers imports the application. Raises `SystemExit` with the status of the
        process
        that failed.
        """
        if RUNNING in os.environ:
            return
        from pipeline.cli import main  # noqa: PLC0415 (a worker that imports the application needs no command line)

        with TemporaryDirectory(prefix="pipeline-") as place:
            os.environ.update(self._environment(Path(place), host, port))
            try:
                main(["up"])
            except SystemExit as ended:
                if ended.code:
                    raise
            finally:
                del os.environ[RUNNING]

    def _environment(self, place: Path, host: str | None, port: int | None) -> dict[str, str]:
        """Return the variables of the stack's processes that this application determines."""
        if self.event_handler is None:
            raise UsageError("the application has no handler: call set_event_handler before run")
        settings = WappaSettings()
        wanted = {
            RUNNING: "1",
            "PIPELINE_HANDLER": handler_path(self, self.event_handler),
            "PIPELINE_CACHE": self.cache,
            "PIPELINE_TENANTS": tenants_file(settings, place),
            "PIPELINE_LOG_LEVEL": os.environ.get("PIPELINE_LOG_LEVEL", settings.log_level.lower()),
            "PIPELINE_INGRESS_HOST": host,
            "PIPELINE_INGRESS_PORT": str(port or settings.port),
            "PYTHONPATH": os.pathsep.join([*_paths(), os.environ.get("PYTHONPATH", "")]).rstrip(os.pathsep),
        }
        return {name: value for name, value in wanted.items() if value is not None}


def _paths() -> list[str]:
    """Return the folders in which this process found the application's modules."""
    return [str(Path(sys.path[0] or ".").resolve())]
