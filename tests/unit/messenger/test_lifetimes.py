"""Deadlines: when a command expires, by its creation, its expiry, its record and its redrive."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from hypothesis import given
from hypothesis import strategies as st

from pipeline.messenger.lifetimes import Lifetimes
from pipeline.tenants import Tenants, TenantsFile
from pipeline.testing import TestRecord
from pipeline.topics.commands import Command, CommandKind
from pipeline.topics.headers import REDRIVEN
from pipeline.topics.lifetimes import DAY, YEAR

CREATED = datetime(2026, 1, 1, tzinfo=UTC)
AT = CREATED.timestamp()


def _command(created_at: datetime = CREATED, expires_at: datetime | None = None, account: str = "1") -> Command:
    return Command(
        command_id="cmd-1",
        tenant_id="acme",
        provider="cloud",
        account=account,
        recipient="15550001111",
        kind=CommandKind.TEXT,
        created_at=created_at,
        expires_at=expires_at,
    )


def _record(at: float, redriven: bytes | None = None) -> TestRecord:
    headers = ((REDRIVEN, redriven),) if redriven is not None else ()
    return TestRecord(b"", headers=headers, timestamp=int(at * 1000))


def test_a_lifetime_begins_with_the_command() -> None:
    """A backlog that was published again after an outage would be sent as if it were new."""
    assert Lifetimes().deadline(_command(), _record(AT + 5 * DAY), AT + 5 * DAY) == AT + DAY


@given(st.floats(1, YEAR))
def test_the_earlier_end_counts(seconds: float) -> None:
    """A code would be sent when it is no longer valid, or a caller's year outlast the topic."""
    expiring = _command(expires_at=CREATED + timedelta(seconds=seconds))
    assert abs(Lifetimes().deadline(expiring, _record(AT), AT) - AT - min(seconds, DAY)) < 1e-3


def test_each_tenant_has_its_own_times() -> None:
    """A tenant's word in the tenants file would change nothing, or change it for all."""
    accounts = [{"provider": "cloud", "id": name, "token": "t"} for name in "12"]
    own = {"id": "acme", "lifetimes": {"text": 5}, "accounts": accounts[:1]}
    tenants = Tenants(TenantsFile.model_validate({"tenants": [own, {"id": "globex", "accounts": accounts[1:]}]}))
    lifetimes = Lifetimes(tenants, {"interactive": 50.0})
    ends = [lifetimes.deadline(_command(account=name), _record(AT), AT) - AT for name in "123"]
    assert ends == [5, 50, 50]


def test_a_time_of_creation_in_the_future_gives_no_more_time() -> None:
    """A producer whose clock is years ahead would leave its commands to retention."""
    late = _command(CREATED + timedelta(days=3000))
    assert Lifetimes().deadline(late, _record(AT), AT) == AT + DAY


def test_a_time_without_a_zone_is_utc() -> None:
    """The same command would end hours earlier on a worker in another country."""
    assert Lifetimes().deadline(_command(CREATED.replace(tzinfo=None)), _record(AT), AT) == AT + DAY


def test_a_redrive_begins_a_new_lifetime_and_no_new_expiry() -> None:
    """A command that waited for its tenant would be redriven to expire; a code would be sent when it is void."""
    now = AT + 9 * DAY
    redriven = _record(now + 60, b"%d" % (now * 1000))
    assert Lifetimes().deadline(_command(), redriven, now) == now + DAY
    code = _command(expires_at=CREATED + timedelta(minutes=10))
    assert Lifetimes().deadline(code, redriven, now) == AT + 600


def test_the_mark_of_an_older_redrive_begins_a_lifetime_too() -> None:
    """A command that was redriven by the former version, during an upgrade, would expire at once."""
    now = AT + 9 * DAY
    for mark in (b"1", b"", b"9" * 15, b"soon"):
        assert Lifetimes().deadline(_command(), _record(now, mark), now + 60) == now + DAY


@given(st.floats(0, 1e10), st.floats(0, 1e10), st.none() | st.floats(0, 1e10), st.none() | st.binary(max_size=15))
def test_every_command_ends(created: float, recorded: float, expires: float | None, mark: bytes | None) -> None:
    """A producer's odd times, or anybody's header, would keep a command for ever."""
    command = _command(
        datetime.fromtimestamp(created, UTC), None if expires is None else datetime.fromtimestamp(expires, UTC)
    )
    record = _record(recorded, mark)
    for now in (created, recorded, 2e10):
        assert Lifetimes().deadline(command, record, now) <= record.timestamp / 1000 + DAY
