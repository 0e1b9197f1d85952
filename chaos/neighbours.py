"""The figures of the light tenants and of each noisy one: who waited how long, and how much of it was parked."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from typing import Final, NamedTuple

from chaos.accounts import NOISY, NUMBERS
from chaos.campaign import Run
from chaos.observer import HANDLERS
from chaos.tables import Cells
from pipeline.topics.catalogue import MESSENGER

LIGHT: Final = "light"
"""All tenants that are not noisy, together."""
COLUMNS: Final = ("tenant", "inputs", "trouble, s", "most parked: handlers", "messenger", "200 to effect, s")
APPS: Final = (HANDLERS, MESSENGER)
PARTS: Final = {"p50": 0.5, "p99": 0.99, "max": 1.0}


class Neighbour(NamedTuple):
    """One tenant, or all light ones.

    Attributes:
        trouble: seconds of its trouble.
        handlers: the most of its records that the handlers had parked at once.
        messenger: the most that the messenger had.
        effect_seconds: from the 200 to the effect, p50, p99 and max.
    """

    tenant: str
    inputs: int
    trouble: float
    handlers: int
    messenger: int
    effect_seconds: Mapping[str, float]

    def cells(self) -> Cells:
        trouble = f"{self.trouble:.0f}" if self.trouble else ""
        waits = written(self.effect_seconds)
        return self.tenant, str(self.inputs), trouble, str(self.handlers), str(self.messenger), waits


def neighbours(run: Run) -> Iterator[Neighbour]:
    """Yield the light tenants, then each noisy one."""
    waits = _waits_by_tenant(run)
    for name, tenants in {LIGHT: _names(NUMBERS), **{name: [name] for name in _names(NOISY)}}.items():
        trouble = run.troubles.ended.get(name, 0.0) - run.troubles.began.get(name, 0.0)
        ordered = sorted(wait for tenant in tenants for wait in waits[tenant])
        parked = [sum(run.observer.most_parked.get((app, each), 0) for each in tenants) for app in APPS]
        yield Neighbour(name, len(ordered), round(trouble, 1), parked[0], parked[1], parts(ordered))


def all_waits(run: Run) -> list[float]:
    """Return the seconds from the 200 to the effect of all inputs, in order of length."""
    return sorted(wait for waits in _waits_by_tenant(run).values() for wait in waits)


def parts(ordered: Sequence[float]) -> dict[str, float]:
    """Return the percentiles of waits in order; none of none."""
    if not ordered:
        return {}
    return {name: round(ordered[min(len(ordered) - 1, int(part * len(ordered)))], 3) for name, part in PARTS.items()}


def written(waits: Mapping[str, float]) -> str:
    return " / ".join(f"{name} {seconds:g}" for name, seconds in waits.items())


def _waits_by_tenant(run: Run) -> Mapping[str, Sequence[float]]:
    accepted = {message: at for message, at in run.driver.accepted.items() if not message.aside}
    taken = {(m.contact.number.id, m.contact.phone, m.place): (m, at) for m, at in accepted.items()}
    waits: dict[str, list[float]] = defaultdict(list)
    for effect in run.evidence.effects:
        if (found := taken.get(effect[:3])) is not None:
            message, at = found
            waits[message.contact.number.tenant].append(effect.at - at)
    return waits


def _names(numbers: Sequence[tuple[str, str, str]]) -> list[str]:
    return list(dict.fromkeys(tenant for tenant, _, _ in numbers))
