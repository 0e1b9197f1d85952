"""The check that the noisy neighbours were what they are to be: a run in which nobody was in the way proves nothing."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping

from chaos.accounts import HOT
from chaos.driver import Driver
from chaos.observer import HANDLERS, Observer
from chaos.troubles import TENANTS, Troubles


def untested(driver: Driver, troubles: Troubles, observer: Observer) -> list[str]:
    """Return what did not happen, one line each."""
    return [*_hot(driver, observer), *_troubled(driver, troubles)]


def _hot(driver: Driver, observer: Observer) -> Iterator[str]:
    inputs = inputs_of(driver)
    if 2 * inputs[HOT.tenant] < sum(inputs.values()):
        yield f"the hot conversation had {inputs[HOT.tenant]} of {sum(inputs.values())} inputs, less than half"
    if not observer.parked().get(HANDLERS):
        yield "the handlers parked nothing"
    if not observer.most_parked.get((HANDLERS, HOT.tenant)):
        yield "no record of the hot conversation was parked"


def _troubled(driver: Driver, troubles: Troubles) -> Iterator[str]:
    for tenant in TENANTS:
        began, ended = troubles.began.get(tenant, 0.0), troubles.ended.get(tenant, 0.0)
        times = (at for message, at in driver.accepted.items() if message.contact.number.tenant == tenant)
        if not any(began < at < ended for at in times):
            yield f"{tenant}: no webhook came during its trouble"
        yield from (f"{tenant}: {what}" for what in troubles.unmet(tenant))


def inputs_of(driver: Driver) -> Mapping[str, int]:
    """Return the number of inputs by tenant."""
    return Counter(
        message.contact.number.tenant for message in driver.accepted if not message.aside and not message.crashes
    )
