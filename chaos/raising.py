"""The handler of the tenant whose hook raises for a part of the run."""

from __future__ import annotations

import os
from collections import Counter
from pathlib import Path
from typing import Final

from chaos.handler import RecordingHandler
from pipeline.errors import Unavailable
from pipeline.topics.events import MessageEvent

PATH: Final = "chaos.raising.RaisingHandler"
SWITCH: Final = "CHAOS_RAISING"
"""The variable that names the file: while it is there, the hook raises, and notes in it how."""
PLAIN: Final = 2
"""Times in one process that an event fails with an exception of which it would become a dead letter in the end."""
BROKEN: Final = b"b"
UNAVAILABLE: Final = b"u"


class HookUnavailable(Unavailable):
    """What the hook needs is away."""


class HookBroken(Exception):
    """The hook fails for a reason that the runtime does not know."""


class RaisingHandler(RecordingHandler):
    """Raises when everything else is done, so that nothing of it may take effect."""

    def __init__(self) -> None:
        self._failures: Counter[str] = Counter()
        self._switch = Path(os.environ[SWITCH]) if SWITCH in os.environ else None

    async def process_message(self, webhook: MessageEvent) -> None:
        await super().process_message(webhook)
        message_id = webhook.message.message_id
        plain = self._failures[message_id] < PLAIN
        if self._switch is None or not noted(self._switch, BROKEN if plain else UNAVAILABLE):
            return
        self._failures[message_id] += 1
        raise HookBroken if plain else HookUnavailable("the tenant's database is away")


def noted(switch: Path, mark: bytes) -> bool:
    """Add a mark to the file; return False if it is not there."""
    try:
        descriptor = os.open(switch, os.O_WRONLY | os.O_APPEND)
    except FileNotFoundError:
        return False
    try:
        os.write(descriptor, mark)
    finally:
        os.close(descriptor)
    return True
