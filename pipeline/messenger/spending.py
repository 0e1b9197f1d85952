"""What a command spends of its account's limits, and the limits of an account as its tenant has set them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from pipeline.messenger.limits.account import Limits, Send
from pipeline.messenger.limits.pairs import PairLimit, PairRule
from pipeline.messenger.limits.queue import Rank
from pipeline.tenants import Account, PairReading
from pipeline.topics.commands import IMMEDIATE, Command, CommandKind, Priority

BURST_SECONDS: Final = 0.25
"""Seconds of messages that may be sent at once after a quiet time.

The provider counts requests when they arrive, so the rest of its own burst is left for requests that the network
bunches together.
"""
_RULES: Final = {
    PairReading.AUTO: (PairRule.BUCKET, PairRule.DEBT),
    PairReading.BUCKET: (PairRule.BUCKET, PairRule.BUCKET),
    PairReading.DEBT: (PairRule.DEBT, PairRule.DEBT),
    PairReading.OFF: (PairRule.OFF, PairRule.OFF),
}
"""The reading of the pair limit for interactive and for bulk commands, by the account's setting."""


def limits_of(account: Account, rate: Callable[[Account], float] = lambda account: account.rate) -> Limits:
    """Return the limits of an account. `rate` returns the messages per second that its tenant or an operator set."""
    per_second = rate(account)
    return Limits(
        rate=per_second,
        burst=max(1.0, per_second * BURST_SECONDS),
        pair=None if account.pair_reading is PairReading.OFF else PairLimit(),
        messages_per_day=account.limits.messages_per_day,
        recipients_per_day=account.limits.template_recipients_per_day,
    )


def rank_of(command: Command) -> Rank:
    """Return the place of a command's priority in the order of service."""
    return Rank.BULK if command.priority is Priority.BULK else Rank.INTERACTIVE


def send_of(command: Command, account: Account, person: str) -> Send:
    """Return what a command to a person spends."""
    if command.kind in IMMEDIATE:
        return Send(person)
    rule = _RULES[account.pair_reading][rank_of(command)]
    return Send(person, rule, command.kind is CommandKind.TEMPLATE)
