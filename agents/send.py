"""send: a command → the provider's API → its outcome. Each account within its limits, each conversation in order.

A command that has an outcome is not sent again, however often it comes. One that may have been sent by a process that
died is not sent again before its status webhooks had time to tell (`receive`).
"""

from __future__ import annotations

from collections.abc import Iterable

from pipeline.messenger.executor import Courier
from pipeline.runtime import ConcurrentContext, ConcurrentStage
from pipeline.topics.catalogue import SENT
from pipeline.topics.codec import decode_command, encode_outcome
from pipeline.topics.commands import Command
from pipeline.topics.records import Record

IN_HAND = 1_000
"""Commands that are worked on at once; the calls in flight among them are bounded by the dispatcher."""


def send(courier: Courier) -> ConcurrentStage:
    async def run(command: Command, context: ConcurrentContext) -> Iterable[Record]:
        outcome = await courier.carry_out(command, context.table(SENT), context)
        return () if outcome is None else (encode_outcome(outcome),)

    return ConcurrentStage("send", run, decode_command, lambda command: (command.account, command.recipient), IN_HAND)
