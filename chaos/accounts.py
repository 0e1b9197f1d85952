"""The tenants and numbers of a run, as the pipeline and as the sandbox read them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Final, NamedTuple

import orjson
import yaml

SECRET: Final = "chaos-app-secret"  # noqa: S105 (of a sandbox that lives for one run)
TOKEN: Final = "chaos-token"  # noqa: S105
PER_SECOND: Final = 300
"""Messages that a number may send: above its share of the traffic, so that a backlog after an outage is sent at it."""

USUAL_LIMITS: Final[Mapping[str, object]] = {"messages_per_second": PER_SECOND, "pair": "off"}


class Number(NamedTuple):
    """A sending number. `business` is its WABA."""

    tenant: str
    business: str
    id: str


NUMBERS: Final = tuple(
    Number(tenant, f"9900{place}", f"8800{place}{number}")
    for place, tenant in enumerate(("ash", "birch", "cedar"))
    for number in range(2)
)

# With the 8 partitions of a run, each of these is on the partition of a number above: otherwise nobody would be in
# anybody's way.
HOT: Final = Number("hot", "99003", "880031")
"""One conversation has half of all messages."""
ABSENT: Final = Number("absent", "99004", "880036")
"""Its gateway is away for a part of the run."""
RAISING: Final = Number("raising", "99005", "880040")
"""Its handler raises for a part of the run."""
HANGING: Final = tuple(Number("hanging", "99006", number) for number in ("880037", "880046", "880047"))
"""Their host takes connections and does not answer for a part of the run."""
NOISY: Final = (HOT, ABSENT, RAISING, *HANGING)
"""The numbers of the noisy neighbours."""


class Setup(NamedTuple):
    """The differences between tenants.

    Attributes:
        numbers: the numbers of the run.
        urls: the API's address for the tenants that have one of their own.
        handlers: dotted path of the handler of those that have one of their own.
        limits: the limits of a number by its id, for the tenants file; without them it has the run's.
        sandbox_limits: those that the sandbox enforces; without them it has the run's.
        agents: the agents beside the handlers, as the tenants file names them.
    """

    numbers: tuple[Number, ...] = NUMBERS
    urls: Mapping[str, str] = {}
    handlers: Mapping[str, str] = {}
    limits: Mapping[str, Mapping[str, object]] = {}
    sandbox_limits: Mapping[str, Mapping[str, object]] = {}
    agents: Sequence[Mapping[str, str]] = ()


SAME: Final = Setup()
"""All tenants have the handler and the address of the run."""


def write_tenants(path: Path, sandbox_url: str, setup: Setup = SAME) -> None:
    """The pipeline's tenants file."""
    app = {"id": "chaos-app", "app_secrets": [SECRET], "verify_token": "chaos-verify-token"}
    tenants = [
        {
            "id": name,
            "handler": setup.handlers.get(name),
            "accounts": _accounts([n for n in setup.numbers if n.tenant == name], sandbox_url, setup),
        }
        for name in dict.fromkeys(number.tenant for number in setup.numbers)
    ]
    path.write_text(yaml.safe_dump({"cloud_apps": [app], "agents": list(setup.agents), "tenants": tenants}))


def _accounts(numbers: list[Number], sandbox_url: str, setup: Setup) -> list[dict[str, object]]:
    return [
        {
            "provider": "cloud",
            "id": number.id,
            "business_id": number.business,
            "token": TOKEN,
            "base_url": setup.urls.get(number.tenant, sandbox_url),
            "limits": dict(setup.limits.get(number.id, USUAL_LIMITS)),
        }
        for number in numbers
    ]


def write_accounts(path: Path, setup: Setup = SAME) -> None:
    """The sandbox's accounts file."""
    accounts = [
        {
            "provider": "cloud",
            "id": number.id,
            "token": TOKEN,
            "webhook_secret": SECRET,
            "business_id": number.business,
            "display_phone_number": f"1444{number.id}",
            "limits": setup.sandbox_limits.get(number.id, {}),
        }
        for number in setup.numbers
    ]
    path.write_bytes(orjson.dumps(accounts))
