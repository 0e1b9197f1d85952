"""send: a command → the provider's API → its outcome. Each account within its limits, each conversation in order.

A command that has an outcome is not sent again, even if it arrives again. A command that a dead process may have sent
is not sent again before its status webhooks had time to arrive (`receive`).
"""

from __future__ import annotations

from collections.abc import Iterable
from functools import partial
from typing import Final

from pipeline.messenger.code_counts import Count, do_not_count
from pipeline.messenger.executor import CommandExecutor
from pipeline.messenger.failed_sends import Tell
from pipeline.messenger.fates import Fates
from pipeline.messenger.refusals import Refusals
from pipeline.runtime import ConcurrentContext, ConcurrentStage, FairKey, Fairness
from pipeline.topics.catalogue import CONTACTS, SENT
from pipeline.topics.codec import decode_command, encode_outcome
from pipeline.topics.commands import Command
from pipeline.topics.dead_letters import is_redriven_for_another
from pipeline.topics.keys import conversation_key
from pipeline.topics.records import Record

STAGE: Final = "send"
MAX_CONCURRENT: Final = 5_000
"""Commands that are processed concurrently: more than wait briefly for the connection slots of a few accounts. The
dispatcher limits how many of them call a provider."""


def send(
    executor: CommandExecutor,
    fairness: Fairness | None = None,
    *,
    fates: Fates | None = None,
    refusals: Refusals | None = None,
    count: Count = do_not_count,
    tell: Tell = lambda outcome: outcome,
) -> ConcurrentStage:
    joined = fates or Fates()

    async def run(command: Command, context: ConcurrentContext) -> Iterable[Record]:
        if is_redriven_for_another(context.record, STAGE):
            return ()
        table = context.table(SENT)
        check = refusals.check(command, partial(context.table, CONTACTS)) if refusals else None
        with joined.execution(command):
            outcome = await executor.execute(command, table, context, check)
        found = joined.rest(command, table) if outcome is None else joined.first(outcome, table)
        return [encode_outcome(tell(each)) for each in count(found)]

    def ordering_key(command: Command) -> tuple[str, str]:
        return command.account, command.recipient

    return ConcurrentStage(STAGE, run, decode_command, ordering_key, MAX_CONCURRENT, fairness=fairness)


def fair_key(command: Command) -> FairKey:
    """Return the account and the conversation of a command."""
    return command.account_key, conversation_key(command.provider, command.account, command.recipient)
