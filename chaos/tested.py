"""The check that the noisy neighbours were what they are to be: a run in which nobody was in the way proves nothing."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from typing import Final

from chaos.accounts import ABSENT, HOT, RAISING
from chaos.driver import Driver
from chaos.observer import Observer
from chaos.troubles import TROUBLED, Troubles
from pipeline.topics import catalogue as topics

LONG: Final = 60.0
"""Seconds of a trouble in which records are parked for it, even beside kills. In a shorter one they may not be."""
HANDLERS: Final = f"{topics.HANDLERS}-default"


def untested(driver: Driver, troubles: Troubles, observer: Observer) -> list[str]:
    """Return what did not happen, one line each."""
    return [*_hot(driver, observer), *_troubled(driver, troubles), *_parked(troubles, observer)]


def _hot(driver: Driver, observer: Observer) -> Iterator[str]:
    inputs = inputs_of(driver)
    if 2 * inputs[HOT.tenant] < sum(inputs.values()):
        yield f"the hot conversation had {inputs[HOT.tenant]} of {sum(inputs.values())} inputs, less than half"
    if not observer.parked().get(HANDLERS):
        yield "the handlers parked nothing"
    if not observer.most_parked.get((HANDLERS, HOT.tenant)):
        yield "no record of the hot conversation was parked"


def _troubled(driver: Driver, troubles: Troubles) -> Iterator[str]:
    for tenant in TROUBLED:
        began, ended = troubles.began.get(tenant, 0.0), troubles.ended.get(tenant, 0.0)
        times = (at for message, at in driver.accepted.items() if message.contact.number.tenant == tenant)
        if not any(began < at < ended for at in times):
            yield f"{tenant}: no webhook came during its trouble"
        yield from (f"{tenant}: {what}" for what in troubles.unmet(tenant))


def _parked(troubles: Troubles, observer: Observer) -> Iterator[str]:
    for app, tenant in ((HANDLERS, RAISING.tenant), (topics.MESSENGER, ABSENT.tenant)):
        seconds = troubles.ended.get(tenant, 0.0) - troubles.began.get(tenant, 0.0)
        if seconds >= LONG and not observer.most_parked.get((app, tenant)):
            yield f"{tenant}: no record was parked in {seconds:.0f} s of trouble"


def inputs_of(driver: Driver) -> Mapping[str, int]:
    """Return the number of inputs by tenant."""
    return Counter(
        message.contact.number.tenant for message in driver.accepted if not message.aside and not message.crashes
    )
