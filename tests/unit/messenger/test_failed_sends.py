"""A send that failed is a line: its code, what it means and what to do, and nothing of the person or the text."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest

from pipeline.messenger.failed_sends import LINES, FailedSends
from pipeline.providers import PROVIDERS
from pipeline.topics.outcomes import Outcome, OutcomeStatus


def _outcome(status: OutcomeStatus = OutcomeStatus.FAILED, **fields: Any) -> Outcome:
    known = {"command_id": "c1", "event_id": "e1", "tenant_id": "acme", "provider": "cloud", "account": "106"}
    about = {"recipient": "15550001111", "at": datetime.now(UTC), "error_message": "said by Meta", "error_code": 131047}
    return Outcome(**(known | about | fields), status=status)


def _told(caplog: pytest.LogCaptureFixture, *outcomes: Outcome) -> list[dict[str, Any]]:
    tell = FailedSends(PROVIDERS).tell
    assert [tell(outcome) for outcome in outcomes] == list(outcomes)
    return [record.msg for record in caplog.records if isinstance(record.msg, dict)]


def test_a_refusal_says_what_it_means_and_what_to_do(caplog: pytest.LogCaptureFixture) -> None:
    """An operator would look a number up in Meta's pages, if he heard of it at all."""
    (line,) = _told(caplog, _outcome())
    assert (line["event"], line["code"], line["tenant"], line["account"]) == ("send_failed", 131047, "acme", "106")
    policy = PROVIDERS["cloud"].codes.policy(131047)  # type: ignore[attr-defined]
    assert line["detail"] == f"{policy.meaning}: {policy.advice}"
    assert "15550001111" not in caplog.text
    assert "said by Meta" not in caplog.text


def test_a_refusal_of_our_own_says_its_reason(caplog: pytest.LogCaptureFixture) -> None:
    """A send that is not even called would be told with the meaning of a code that it does not have."""
    ours = _outcome(error_code=None, reason="opted_out", error_message="its recipient declined marketing")
    (line,) = _told(caplog, ours)
    assert (line["code"], line["detail"]) == ("opted_out", "its recipient declined marketing")
    (status,) = _told(caplog, _outcome(error_code=None, by_status=True))[1:]
    assert (status["by_status"], status["detail"]) == (True, "")


def test_what_did_not_fail_is_no_line(caplog: pytest.LogCaptureFixture) -> None:
    """The log would have a line for every message."""
    others = [status for status in OutcomeStatus if status is not OutcomeStatus.FAILED]
    assert _told(caplog, *map(_outcome, others)) == []


def test_a_campaign_that_fails_as_a_whole_is_a_few_lines(caplog: pytest.LogCaptureFixture) -> None:
    """A hundred thousand lines would hide all others."""
    assert len(_told(caplog, *[_outcome()] * 1_000)) == LINES
