"""Lifetimes of commands: the seconds after its creation in which a command may be sent.

A lifetime is chosen by kind and priority. A tenant, and then the installation, may choose others (`Overrides`).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from types import MappingProxyType
from typing import Annotated, Final

from pydantic import AfterValidator

from pipeline.topics.commands import IMMEDIATE, CommandKind, Priority

MINUTE: Final = 60.0
DAY: Final = 86_400.0
YEAR: Final = 366 * DAY
"""The longest lifetime, in seconds."""

GRACE: Final = DAY
"""Seconds after its lifetime by which a command in doubt has its outcome as well. Its record and its row are kept as
long."""

DEFAULTS: Final[Mapping[str, float]] = MappingProxyType(
    {
        CommandKind.TYPING: MINUTE,
        CommandKind.READ: 10 * MINUTE,
        CommandKind.TEMPLATE: 3 * DAY,
        Priority.BULK: 3 * DAY,
        Priority.INTERACTIVE: DAY,
    }
)
"""Lifetimes by kind, and by priority for all other kinds. The reasons:

- A typing indicator is shown for less than a minute. A read mark that comes late is harmless, but a conversation waits
  for it.
- Meta's customer service window closes 24 hours after a person has written. Later, an answer is rejected (131047).
- A template may be sent at any time. Meta itself keeps one for up to 30 days for a phone that is off. Three days
  outlast a weekend and leave four of Kafka's seven to whoever mends the cause.
- A campaign may take days at the rate of its account. One that is not a template and too late for the window is
  rejected by Meta; gateways have no window.
"""


def require_valid(overrides: Mapping[str, float]) -> Mapping[str, float]:
    """Return the overrides. Raise `ValueError` for a name that is no kind and no priority, or a wrong number."""
    known = {*CommandKind, *Priority}
    for name, seconds in overrides.items():
        if name not in known:
            raise ValueError(f"{name!r} is no kind of command, such as template, and neither interactive nor bulk")
        if not 0 < seconds <= YEAR:
            raise ValueError(f"the lifetime of {name} is not between 0 seconds and a year")
    return overrides


Overrides = Annotated[Mapping[str, float], AfterValidator(require_valid)]
"""Lifetimes in seconds by kind (`template`), or by priority (`bulk`) for all kinds that are not named. A priority does
not change the kinds in `IMMEDIATE`."""
NO_OVERRIDES: Final[Mapping[str, float]] = {}


def lifetime(kind: CommandKind, priority: Priority, *levels: Mapping[str, float]) -> float:
    """Return the lifetime of a command in seconds. `levels` are overrides, the strongest first; then `DEFAULTS`."""
    for level in (*levels, DEFAULTS):
        found = level.get(kind)
        if found is None and kind not in IMMEDIATE:
            found = level.get(priority)
        if found is not None:
            return found
    return DEFAULTS[Priority.INTERACTIVE]


def longest_lifetime(installation: Mapping[str, float] | None, tenants: Iterable[Mapping[str, float]] = ()) -> float:
    """Return an upper bound of the lifetimes of all commands, from the overrides of the installation and of tenants."""
    common = (lifetime(kind, priority, installation or {}) for kind in CommandKind for priority in Priority)
    return max(*common, *(seconds for overrides in tenants for seconds in overrides.values()))


def required_retention(longest: float) -> float:
    """Return the seconds for which commands, and the rows about them, must be kept so that none is left undecided."""
    return longest + GRACE
