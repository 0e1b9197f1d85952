"""Refusals: a send that must not be made fails before the call, and nothing else does."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest

from pipeline.messenger.contacts import RESOLUTION, note_inbound
from pipeline.messenger.refusals import Refusals, is_marketing
from pipeline.providers import PROVIDERS
from pipeline.tenants import Tenants, TenantsFile
from pipeline.topics.commands import Command, CommandKind
from pipeline.topics.receipts import Inbound
from pipeline.topics.refusals import RefusalReason
from tests.unit.messenger.test_contacts import Rows

PHONE, NOW, DAY = "15550001111", 1_767_268_800, 86_400
OUTSIDE, DECLINED = RefusalReason.OUTSIDE_SERVICE_WINDOW, RefusalReason.OPTED_OUT
MARKETING: dict[str, Any] = {
    "kind": CommandKind.TEMPLATE,
    "body": {"name": "sale", "language": "en", "category": "marketing"},
}


def _command(**changes: Any) -> Command:
    given: dict[str, Any] = {"provider": "cloud", "kind": CommandKind.TEXT, "body": {"text": "hi"}} | changes
    about = {"command_id": "cmd-1", "tenant_id": "acme", "account": "1", "recipient": f"+{PHONE}"}
    return Command(**about, created_at=datetime.fromtimestamp(NOW, UTC), **given)


def _reason(command: Command, inbound: Inbound, **setting: bool) -> RefusalReason | None:
    accounts = [{"provider": name, "id": "1", "token": "t"} for name in PROVIDERS]
    tenant = {"id": "acme", "accounts": accounts, "refusals": setting}
    rows = Rows()
    note_inbound(command.account_key, inbound, rows)
    tenants = Tenants(TenantsFile.model_validate({"tenants": [tenant]}))
    check = Refusals(tenants, PROVIDERS).check(command, lambda: rows)
    refusal = check(NOW) if check else None
    return refusal.reason if refusal else None


def _wrote(ago: int) -> Inbound:
    return Inbound(last={PHONE: NOW - ago})


def test_a_free_form_message_after_a_day_is_refused() -> None:
    """The call would be made, count against the number's limits, and fail with 131047."""
    assert _reason(_command(), _wrote(2 * DAY)) is OUTSIDE


@pytest.mark.parametrize("ago", [0, 3600, DAY, DAY + RESOLUTION])
def test_within_the_day_it_is_sent(ago: int) -> None:
    """An answer would not reach the person who waits for it."""
    assert _reason(_command(), _wrote(ago)) is None


def test_a_person_who_was_never_seen_is_not_refused() -> None:
    """A tenant that has just moved here could answer nobody who wrote before."""
    assert _reason(_command(), Inbound()) is None


@pytest.mark.parametrize("kind", [CommandKind.TEMPLATE, CommandKind.READ])
def test_what_needs_no_window_is_sent_at_any_time(kind: CommandKind) -> None:
    """The template by which a conversation is opened again would be refused."""
    assert _reason(_command(kind=kind, body={"name": "hello"}), _wrote(30 * DAY)) is None


@pytest.mark.parametrize("provider", ["wasender", "wawp", "waha"])
def test_a_provider_without_a_window_refuses_nobody(provider: str) -> None:
    """A tenant on a gateway would lose its answers to a rule of Meta's."""
    assert _reason(_command(provider=provider), _wrote(30 * DAY)) is None


def test_who_came_by_an_ad_may_be_written_to_for_longer() -> None:
    """The window of a free entry point is three days, and an answer on the second would be refused."""
    assert _reason(_command(), Inbound(last={PHONE: NOW - 2 * DAY}, entry={PHONE: NOW - 2 * DAY})) is None
    assert _reason(_command(), Inbound(last={PHONE: NOW - 4 * DAY}, entry={PHONE: NOW - 4 * DAY})) is OUTSIDE


def test_a_tenant_may_leave_the_window_to_the_provider() -> None:
    """A tenant whose webhooks come here only in part could not answer."""
    assert _reason(_command(), _wrote(2 * DAY), outside_window=False) is None


def test_an_open_window_is_remembered_until_it_ends() -> None:
    """Every answer would cost a look-up in the table, or a window that ended would stay open in memory."""
    tenant = {"id": "acme", "accounts": [{"provider": "cloud", "id": "1", "token": "t"}]}
    refusals, rows = Refusals(Tenants(TenantsFile.model_validate({"tenants": [tenant]})), PROVIDERS), Rows()
    refusals.note("cloud:1", _wrote(0), rows)
    reads = iter([rows])
    check = refusals.check(_command(), lambda: next(reads))
    assert check is not None
    assert check(NOW) is None
    assert check(NOW + DAY) is None
    assert next(reads) is rows, "nothing was looked up"
    later = refusals.check(_command(), lambda: rows)
    assert later is not None
    assert later(NOW + DAY + RESOLUTION + 1) is not None


def test_marketing_to_who_declined_is_refused() -> None:
    """A person who said stop would get marketing, and report the number."""
    declined = Inbound(last={PHONE: NOW}, wishes={PHONE: (False, NOW)})
    assert _reason(_command(**MARKETING), declined) is DECLINED
    assert _reason(_command(**MARKETING), declined, opted_out=False) is None
    assert _reason(_command(), declined) is None, "an answer is no marketing"
    assert _reason(_command(**MARKETING), Inbound(wishes={PHONE: (True, NOW)})) is None


def test_a_gateways_campaign_to_who_declined_is_refused() -> None:
    """A gateway has no templates: its campaigns are texts."""
    campaign = _command(provider="waha", priority="bulk", campaign="spring")
    assert _reason(campaign, Inbound(wishes={PHONE: (False, NOW)})) is DECLINED


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        (MARKETING, True),
        ({"kind": "template", "body": {"name": "sale", "marketing": True}}, True),
        ({"kind": "template", "body": {"category": "utility"}, "priority": "bulk", "campaign": "late"}, False),
        ({"kind": "template", "body": {"name": "sale"}, "priority": "bulk", "campaign": "spring"}, True),
        ({"kind": "template", "body": {"name": "code"}}, False),
        ({"priority": "bulk"}, False),
        ({"campaign": "spring"}, False),
    ],
)
def test_what_is_marketing(changes: dict[str, Any], expected: bool) -> None:
    """A delivery note would be refused to who wants no offers, or an offer be sent."""
    assert is_marketing(_command(**changes)) is expected
