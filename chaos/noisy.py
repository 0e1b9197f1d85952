"""The noisy neighbours' traffic: a hot conversation has half of all messages, and three tenants have a trouble.

It comes on top of the light tenants' traffic, which is the same as without it. So a run with noisy neighbours can be
compared with one of the same seed without them.
"""

from __future__ import annotations

import heapq
from collections.abc import Iterator, Sequence
from operator import attrgetter
from random import Random
from typing import Final, NamedTuple

from chaos.accounts import ABSENT, HANGING, HOT, RAISING, Number
from chaos.handler import CRASHES
from chaos.options import Options
from chaos.traffic import Posting, Writer, light_crashers, traffic
from chaos.webhooks import Contact, Message

BURST: Final = 800
"""Messages of the hot conversation at once. It may hold 500 records of its partition's window."""
WEBHOOK: Final = 50
"""Messages in one webhook of a burst."""
SPEAKER: Final = Contact(HOT, "15559999999")
"""The contact of the hot conversation."""


class Troubled(NamedTuple):
    """A tenant that will have a trouble.

    Attributes:
        share: its webhooks for each of the light ones.
        people: contacts that write to it: enough to open the breaker of a tenant, which counts first tries.
    """

    numbers: Sequence[Number]
    share: float
    people: int

    @property
    def name(self) -> str:
        return self.numbers[0].tenant

    def contacts(self) -> list[Contact]:
        return [Contact(self.numbers[n % len(self.numbers)], f"1666{n:07d}") for n in range(self.people)]


TROUBLED: Final = (Troubled([RAISING], 0.2, 200), Troubled([ABSENT], 0.1, 30), Troubled(HANGING, 0.1, 30))


class Crash(NamedTuple):
    """A message to a tenant that crashes its handler, `at` so many seconds."""

    at: float
    tenant: str
    how: str


def all_traffic(options: Options) -> Iterator[Posting]:
    """Yield every webhook of a run, in order of time."""
    if not options.noisy:
        yield from traffic(options)
        return
    hot = HotConversation(options)
    for posting in heapq.merge(traffic(options), troubled(options), key=attrgetter("at")):
        yield posting
        yield from hot.follow(posting)
    yield from hot.finish(options.seconds)


def crashes(options: Options) -> Iterator[Crash]:
    """Yield the crashing messages to the noisy tenants, in turn, spread evenly."""
    names = [*(each.name for each in TROUBLED), HOT.tenant]
    count = options.crashers - light_crashers(options)
    for number in range(count):
        how = CRASHES[number // len(names) % len(CRASHES)]
        yield Crash((number + 0.5) * options.seconds / count, names[number % len(names)], how)


def troubled(options: Options) -> Iterator[Posting]:
    """Yield the webhooks to the tenants that have a trouble."""
    people = {each.name: each.contacts() for each in TROUBLED}
    due = [crash for crash in crashes(options) if crash.tenant in people]
    rng = Random(f"{options.seed}:troubled")  # noqa: S311 (replayable, no secret)
    writer, rate = Writer(rng), options.rate * sum(each.share for each in TROUBLED)
    for number in range(int(options.seconds * rate)):
        at = number / rate
        while due and due[0].at <= at:
            crash = due.pop(0)
            yield Posting(at, writer.crash(people[crash.tenant], crash.how))
        tenant = rng.choices(TROUBLED, [each.share for each in TROUBLED])[0]
        yield _posting(rng, at, writer.messages(people[tenant.name]))


class HotConversation:
    """Says as much as all others, in bursts that are more than its handler does meanwhile."""

    def __init__(self, options: Options) -> None:
        self._rng = Random(f"{options.seed}:hot")  # noqa: S311
        self._writer = Writer(self._rng)
        self._known: set[Message] = set()
        self._owed = 0
        self._crashes = [crash for crash in crashes(options) if crash.tenant == HOT.tenant]

    def follow(self, posting: Posting) -> Iterator[Posting]:
        """Yield a burst if the others have said enough since the last one."""
        new = {message for message in posting.messages if not message.aside and not message.crashes} - self._known
        self._known |= new
        self._owed += len(new)
        if self._owed >= BURST:
            yield from self.finish(posting.at)

    def finish(self, at: float) -> Iterator[Posting]:
        """Yield what it has not said yet."""
        messages = self._writer.burst(SPEAKER, self._owed // 2)
        if self._crashes and self._crashes[0].at <= at:
            messages.extend(self._writer.crash([SPEAKER], self._crashes.pop(0).how))
        messages.extend(self._writer.burst(SPEAKER, self._owed - self._owed // 2))
        self._owed = 0
        for first in range(0, len(messages), WEBHOOK):
            yield _posting(self._rng, at, tuple(messages[first : first + WEBHOOK]))


def _posting(rng: Random, at: float, messages: tuple[Message, ...]) -> Posting:
    """Return a webhook that comes again as often as others."""
    at_once, later = rng.random() < 0.03, rng.random() < 0.07
    return Posting(at, messages, at_once, rng.uniform(0, 8) if later else None)
