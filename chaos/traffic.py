"""The traffic of a run: webhooks with all that platforms do to them. It follows from the seed alone."""

from __future__ import annotations

from collections import defaultdict, deque
from collections.abc import Iterator
from random import Random
from typing import Final, NamedTuple

from chaos.accounts import NUMBERS
from chaos.handler import CRASHES
from chaos.options import Options
from chaos.webhooks import ASIDE, BUSY, CRASH, Contact, Message

RECENT: Final = 500
"""Messages among which one is chosen to come again in another batch."""
SLOW: Final = 0.02
"""The part of events that take a handler long."""
ASIDES: Final = 0.2
"""The part of messages before which the same contact says something that is to be ignored."""


class Posting(NamedTuple):
    """One webhook.

    Attributes:
        at: seconds since the traffic began; it is posted then or, if one before it has a contact in common, after that.
        copy_at_once: the same bytes are posted a second time beside it, as by a platform that lost patience.
        copy_after: seconds after which they are posted again; None: they are not.
    """

    at: float
    messages: tuple[Message, ...]
    copy_at_once: bool = False
    copy_after: float | None = None

    @property
    def contacts(self) -> frozenset[Contact]:
        return frozenset(message.contact for message in self.messages)


def contacts(options: Options) -> list[Contact]:
    return [Contact(NUMBERS[n % len(NUMBERS)], f"1555{n:07d}") for n in range(options.contacts)]


def traffic(options: Options) -> Iterator[Posting]:
    """Yield every webhook to the light tenants, in order of time."""
    rng = Random(f"{options.seed}:traffic")  # noqa: S311 (replayable, no secret)
    people, writer = contacts(options), Writer(rng)
    crashing = _crashing(options)
    for number in range(int(options.seconds * options.rate)):
        crash = crashing.get(number)
        messages = writer.crash(people, crash) if crash else writer.messages(people)
        at_once, later = rng.random() < 0.03, rng.random() < 0.07
        yield Posting(number / options.rate, messages, at_once, rng.uniform(0, 8) if later else None)


def _crashing(options: Options) -> dict[int, str]:
    """Numbers of webhooks that crash their handler, spread evenly, and how they do."""
    count = light_crashers(options)
    every = int(options.seconds * options.rate) / max(count, 1)
    return {int((number + 0.5) * every): CRASHES[number % len(CRASHES)] for number in range(count)}


def light_crashers(options: Options) -> int:
    """Return how many of the crashing messages go to the light tenants: half, if there are noisy ones."""
    return options.crashers - options.crashers // 2 if options.noisy else options.crashers


class Writer:
    """Makes messages, each contact's counted from 0."""

    def __init__(self, rng: Random) -> None:
        self._rng = rng
        self._places: dict[Contact, int] = defaultdict(int)
        self._recent: deque[Message] = deque(maxlen=RECENT)

    def messages(self, people: list[Contact]) -> tuple[Message, ...]:
        """Mostly one; else several of one contact, of several contacts, or one with an old one beside it."""
        rng = self._rng
        kind = rng.choices(("single", "several", "mixed", "old"), (70, 10, 12, 8))[0]
        if kind == "several":
            return tuple(self._next(rng.choice(people), rng.randint(2, 4)))
        if kind == "mixed":
            return self._mixed(rng.sample(people, rng.randint(2, 5)))
        old = (rng.choice(self._recent),) if kind == "old" and self._recent else ()
        return (*old, *self._next(rng.choice(people), 1))

    def crash(self, people: list[Contact], how: str) -> tuple[Message, ...]:
        """Return one that crashes its handler."""
        contact = self._rng.choice(people)
        return (Message(contact, self._places[contact], f"{self._places[contact]}{CRASH}{how}"),)

    def burst(self, contact: Contact, count: int) -> list[Message]:
        """Return `count` messages of one contact with their asides; each takes its handler a moment."""
        return [message for _ in range(count) for message in self._busy(contact)]

    def _mixed(self, some: list[Contact]) -> tuple[Message, ...]:
        """Contacts interleaved, each one's own messages in order."""
        queues = [deque(self._next(contact, self._rng.randint(1, 2))) for contact in some]
        mixed: list[Message] = []
        while queues:
            queue = self._rng.choice(queues)
            mixed.append(queue.popleft())
            queues = [left for left in queues if left]
        return tuple(mixed)

    def _next(self, contact: Contact, count: int) -> list[Message]:
        made = [message for _ in range(count) for message in self._messages(contact)]
        self._recent.extend(made)
        return made

    def _messages(self, contact: Contact) -> Iterator[Message]:
        aside = self._rng.random() < ASIDES
        yield from self._said(contact, aside, f" {self._rng.uniform(0.2, 2):.2f}" if self._rng.random() < SLOW else "")

    def _busy(self, contact: Contact) -> Iterator[Message]:
        yield from self._said(contact, self._rng.random() < ASIDES, f" {BUSY}")

    def _said(self, contact: Contact, aside: bool, more: str) -> Iterator[Message]:
        place = self._places[contact]
        self._places[contact] += 1
        if aside:
            yield Message(contact, place, f"{place} {ASIDE}")
        yield Message(contact, place, f"{place}{more}")
