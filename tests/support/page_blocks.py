"""Code blocks of the documents that people come with, as handlers: `tests.support.page_blocks:handlers__echo` is one.

`tests/data/pages` holds each block as its page shows it. Only its imports are mapped, and a body that is but a comment
gets a `pass`. A block is a class, one or more hooks, or lines of a hook; what its page takes for granted (imports, the
user's own methods, a cache made in the block before) is given here.
"""

from __future__ import annotations

import ast
import json
import re
import textwrap
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any, Final

from pipeline.handlers import EventHandler
from pipeline.topics.events import EventBase, MessageEvent

PAGES: Final = Path(__file__).parents[1] / "data" / "pages"
BLOCKS: Final = sorted(f"{path.parent.name}__{path.name.split('.')[0]}" for path in PAGES.glob("*/*.py.txt"))
LEFT_TO_THE_USER: Final = (
    *("_handle_message", "_handle_regular_message", "_handle_command", "_handle_new_conversation"),
    *("_handle_help_command", "_handle_start_command", "_handle_settings_command", "_handle_user_message"),
    *("_handle_main_menu", "_handle_ordering_flow", "_collect_name", "_collect_email"),
    *("_process_business_logic", "_complex_business_logic", "show_product_details", "notify_admin", "schedule_retry"),
)
"""Methods that the pages call and leave to their reader. Here they say in the log that they were called."""
_GRANTED: Final = """
import json
import time
from wappa import Wappa, WappaEventHandler
from wappa.core.config.settings import settings
from wappa.webhooks import IncomingMessageWebhook, StatusWebhook, ErrorWebhook
class ValidationError(Exception): pass
class ExternalServiceError(Exception): pass
"""
_WRAPPED: Final = """
async def process_message(self, webhook):
    user_id = webhook.user.user_id
    user_cache = self.cache_factory.create_user_cache()
    cache_key = "user_data"
    await self._lines(webhook, user_id, user_cache, cache_key)
"""
_ONLY_A_COMMENT: Final = re.compile(r"(:[^\n]*\n([ ]+)#[^\n]*)(?=\n(?!\2)|\s*\Z)")


class Reader(EventHandler):
    """What the reader of a page brings along, and a line in the log for every event that a hook has finished."""

    async def process_message(self, webhook: MessageEvent) -> None:
        """For pages that show other hooks only."""

    async def handle(self, event: EventBase) -> None:
        await super().handle(event)
        self.logger.info(f"finished {event.kind}")

    def __getattr__(self, name: str) -> Callable[..., Awaitable[None]]:
        if name not in LEFT_TO_THE_USER:
            raise AttributeError(name)

        async def left(*args: Any) -> None:
            self.logger.info(f"called {name}")
            for each in args:
                _fail_as_asked(each, type(self))

        return left


def _fail_as_asked(webhook: object, kind: type) -> None:
    """A user writes `fail NAME` to see how a page treats an exception of that name."""
    said = webhook.get_message_text() if isinstance(webhook, MessageEvent) else ""
    if said.startswith("fail "):
        raise vars(kind)["granted"].get(said.split()[1], RuntimeError)("as asked")


def mapped(source: str) -> str:
    """What somebody does who moves over: `s/from wappa/from pipeline.wappa/`."""
    return source.replace("from wappa", "from pipeline.wappa")


def source(block: str) -> str:
    folder, name = block.split("__")
    shown = (PAGES / folder / f"{name}.py.txt").read_text()
    return mapped(_ONLY_A_COMMENT.sub(r"\1\n\2pass", shown))


def handler(block: str) -> type[EventHandler]:
    """The block as a handler class."""
    names: dict[str, Any] = {}
    exec(mapped(_GRANTED), names)
    granted, text = dict(names), source(block)
    shown = ast.parse("async def lines():\n" + textwrap.indent(text, "    ")).body[0]
    assert isinstance(shown, ast.AsyncFunctionDef)
    if any(isinstance(each, ast.ClassDef) for each in shown.body):
        exec(text, names)
        bases = tuple(each for name, each in names.items() if name not in granted and _is_new_handler(each))
        return type(block, (*bases, Reader), {"granted": granted})
    if not any(isinstance(each, ast.AsyncFunctionDef) for each in shown.body):
        arguments = "self, webhook, user_id, user_cache, cache_key"
        lines = f"async def shown({arguments}):\n{textwrap.indent(text, '    ')}\n    return locals()\n"
        exec(lines + _WRAPPED, names)
        names["_lines"] = _told(names.pop("shown"))
    else:
        exec(text, names)
    hooks = {name: each for name, each in names.items() if name.startswith(("process_", "_")) and name not in granted}
    return type(block, (Reader,), {**hooks, "granted": granted})


def _is_new_handler(value: object) -> bool:
    return isinstance(value, type) and issubclass(value, EventHandler) and value is not EventHandler


def _told(lines: Callable[..., Awaitable[dict[str, Any] | None]]) -> Callable[..., Awaitable[None]]:
    """Lines that leave values behind: they are sent to the user as JSON, so that a test can read them."""

    async def run(self: EventHandler, webhook: MessageEvent, user_id: str, *more: object) -> None:
        values = await lines(self, webhook, user_id, *more) or {}
        seen = {name: str(value) for name, value in values.items() if name not in {"self", "webhook"}}
        await self.messenger.send_text(json.dumps(seen)[:4096], user_id)

    return run


def __getattr__(name: str) -> type[EventHandler]:
    if name in BLOCKS:
        return handler(name)
    raise AttributeError(name)
