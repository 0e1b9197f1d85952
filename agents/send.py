"""send: a command → the provider's API → its outcome. Each account within its limits, each conversation in order.

A command that has an outcome is not sent again, even if it arrives again. A command that a dead process may have sent
is not sent again before its status webhooks had time to arrive (`receive`).
"""

from __future__ import annotations

from collections.abc import Iterable

from pipeline.messenger.executor import CommandExecutor
from pipeline.runtime import ConcurrentContext, ConcurrentStage, FairKey, Fairness
from pipeline.topics.catalogue import SENT
from pipeline.topics.codec import decode_command, encode_outcome
from pipeline.topics.commands import Command
from pipeline.topics.keys import conversation_key
from pipeline.topics.records import Record

MAX_CONCURRENT = 5_000
"""Commands that are processed concurrently: more than wait briefly for the connection slots of a few accounts. The
dispatcher limits how many of them call a provider."""


def send(executor: CommandExecutor, fairness: Fairness | None = None) -> ConcurrentStage:
    async def run(command: Command, context: ConcurrentContext) -> Iterable[Record]:
        outcome = await executor.execute(command, context.table(SENT), context)
        return () if outcome is None else (encode_outcome(outcome),)

    def ordering_key(command: Command) -> tuple[str, str]:
        return command.account, command.recipient

    return ConcurrentStage("send", run, decode_command, ordering_key, MAX_CONCURRENT, fairness=fairness)


def fair_key(command: Command) -> FairKey:
    """Return the account and the conversation of a command."""
    return command.account_key, conversation_key(command.provider, command.account, command.recipient)
