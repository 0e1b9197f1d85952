"""The sandbox's limits together, against a reference that keeps everything and counts anew for each message."""

from __future__ import annotations

from itertools import chain
from typing import Any, NamedTuple

from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.sandbox.limits import LimitEnforcer, MessageKind, SandboxLimits

DAY = 86_400
BUSINESSES = {"1": "business", "2": "business"}


class Event(NamedTuple):
    """What happens `gap` seconds after the last event: a send of a kind, or a user's `message`, `stop` or `resume`."""

    gap: int
    account: str
    person: str
    kind: str


class Reference:
    """The limits in their own words. The last of `events` is the one in question; `taken` are the earlier sends."""

    def __init__(self, limits: SandboxLimits) -> None:
        self.limits = limits
        self.events: list[tuple[int, str, str, str]] = []
        self.taken: list[tuple[int, str, str, str]] = []
        self.reached: list[tuple[int, str]] = []

    def sends(self, now: int, account: str, person: str, kind: str) -> str | None:
        refused = self._refused(now, account, person, kind)
        if refused and self.limits.refuse_by == "answer":
            return refused
        over = self._over(now, account, person)
        if over:
            return over
        self.taken.append((now, account, person, kind))
        if not refused and kind != "free_form" and not self._open(now, account, person):
            self.reached.append((now, person))
        return refused

    def _open(self, now: int, account: str, person: str) -> bool:
        window = self.limits.service_window or DAY
        wrote = [at for at, *who, kind in self.events if who == [account, person] and kind == "message"]
        return any(at >= now - window for at in wrote)

    def _refused(self, now: int, account: str, person: str, kind: str) -> str | None:
        asked = [kind for _, *who, kind in self.events if who == [account, person] and kind in ("stop", "resume")]
        if kind == "marketing" and asked[-1:] == ["stop"]:
            return "marketing_opt_out"
        opened = self._open(now, account, person)
        if kind == "free_form" and self.limits.service_window and not opened:
            return "service_window"
        people = {who for at, who in self.reached if at > now - DAY} | {person}
        if (
            kind != "free_form"
            and self.limits.messaging_tier
            and not opened
            and len(people) > self.limits.messaging_tier
        ):
            return "messaging_tier" if person not in {who for at, who in self.reached if at > now - DAY} else None
        return None

    def _over(self, now: int, account: str, person: str) -> str | None:
        limits = self.limits
        own = [at for at, number, *_ in self.taken if number == account]
        to_person = [at for at, *who, _ in self.taken if who == [account, person]]
        inbound = [at for at, number, _, kind in self.events if number == account and kind == "message"]
        if limits.pair != "off" and not self._pair(to_person, now):
            return "pair"
        counted = [*own, *inbound] if limits.count_inbound else own
        rate = limits.messages_per_second
        if rate and any(count(counted, at) + 1 > rate * (now - at) + limits.capacity for at in (*counted, now)):
            return "messages_per_second"
        windows = [
            ("messages_per_day", limits.messages_per_day, DAY),
            ("messages_per_minute", limits.messages_per_minute, 60),
        ]
        windows.append(("seconds_between", limits.seconds_between and 1, limits.seconds_between or 0))  # type: ignore[arg-type]
        full = [
            (sorted(own)[-most] + seconds - now, name)
            for name, most, seconds in windows
            if most and count(own, now - seconds + 1) >= most
        ]
        return max(full)[1] if full else None

    def _pair(self, times: list[int], now: int) -> bool:
        if self.limits.pair == "bucket":
            return all(6 * (count(times, at) + 1 - 45) <= now - at for at in (*times, now))
        burst: list[int] = []
        for at in times:
            burst = [*burst, at] if burst and at < burst[0] + 6 * len(burst) else [at]
        return not burst or now >= burst[0] + 6 * len(burst) or (now < burst[0] + 6 and len(burst) < 45)


def count(times: list[int], since: float) -> int:
    return sum(at >= since for at in times)


SENDS: tuple[MessageKind, ...] = ("free_form", "template", "marketing")
events = st.builds(
    Event,
    gap=st.sampled_from([0, 0, 0, 0, 1, 1, 5, 6, 30, 60, 3600, DAY // 2, DAY - 1, DAY]),
    account=st.sampled_from(["1", "2", "3"]),
    person=st.sampled_from(["a", "a", "b", "c", "d"]),
    kind=st.sampled_from([*SENDS, *SENDS, "message", "stop", "resume"]),
)
bursts = st.tuples(events, st.integers(1, 50)).map(
    lambda burst: [burst[0], *[burst[0]._replace(gap=0)] * (burst[1] - 1)]
)
schedules = st.lists(st.one_of(events.map(lambda event: [event]), bursts), max_size=40).map(
    lambda parts: list(chain.from_iterable(parts))
)
OFF: dict[str, Any] = {"messages_per_second": None, "jitter": 0}
RATES: dict[str, list[Any]] = {
    "messages_per_second": [0.25, 1, 4],
    "burst": [1, 3, 20],
    "count_inbound": [True, False],
    "pair": ["bucket", "debt"],
    "messages_per_minute": [1, 4, 30],
    "messages_per_day": [5, 60],
    "seconds_between": [5, 10],
}
PEOPLE: dict[str, list[Any]] = {
    "messaging_tier": [1, 2, 3],
    "service_window": [60, DAY],
    "refuse_by": ["answer", "status"],
}


def chosen_from(choices: dict[str, list[Any]]) -> st.SearchStrategy[dict[str, Any]]:
    optional = {name: st.sampled_from(values) for name, values in choices.items()}
    return st.fixed_dictionaries({}, optional=optional).map(lambda chosen: OFF | chosen)


any_limits = st.one_of(chosen_from(RATES), chosen_from(PEOPLE), chosen_from(RATES | PEOPLE))


@settings(max_examples=400)
@given(schedules, any_limits)
def test_every_message_is_judged_as_the_limits_say(schedule: list[Event], chosen: dict[str, Any]) -> None:
    """A messenger over a limit would be told that it keeps it, or one that keeps it that it does not."""
    limits = SandboxLimits.model_validate(chosen)
    limiter, now = (
        LimitEnforcer(limits, businesses={("cloud", account): business for account, business in BUSINESSES.items()}),
        0,
    )
    references = {"business": Reference(limits), "3": Reference(limits)}
    for gap, account, person, kind in schedule:
        now += gap
        reference = references[BUSINESSES.get(account, account)]
        if kind in SENDS:
            exceeded = limiter.check("cloud", account, person, now, kind)
            assert (exceeded and exceeded.kind) == reference.sends(now, account, person, kind)
            continue
        reference.events.append((now, account, person, kind))
        if kind == "message":
            limiter.receive("cloud", account, person, now)
        else:
            limiter.prefer("cloud", account, person, now, marketing=kind == "resume")
