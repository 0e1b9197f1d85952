"""Sending through Wawp: credentials in the body, and refusals inside a 200."""

from __future__ import annotations

from typing import Any

import pytest

from pipeline.providers.base import AttemptStatus
from pipeline.providers.wawp.bodies import BUILDERS
from pipeline.topics.commands import CommandKind
from tests.support.gateway_calls import ANA, BODIES, TEXT, TOKEN, account, command, in_sandbox, one, requests, says

SAMPLE = account("wawp", id="initech-instance", token="sandbox-wawp-token")
FILE = {"file[url]": "https://files.example/a.jpg", "file[mimetype]": "image/jpeg", "file[filename]": "a.jpg"}


@pytest.mark.parametrize(
    ("kind", "method", "path", "content"),
    [
        (CommandKind.TEXT, "POST", "send/text", {"message": TEXT}),
        (CommandKind.READ, "POST", "send/seen", {"messageIds": [f"false_{ANA}_A"]}),
        (CommandKind.TYPING, "POST", "send/start-typing", {}),
        (CommandKind.IMAGE, "POST", "send/image", FILE | {"caption": "Receipt"}),
        (CommandKind.VIDEO, "POST", "send/video", {"asNote": False}),
        (CommandKind.AUDIO, "POST", "send/voice", {"convert": True, "file[mimetype]": "audio/mpeg"}),
        (CommandKind.DOCUMENT, "POST", "send/pdf", {"file[filename]": "bill.pdf", "caption": " "}),
        (CommandKind.LOCATION, "POST", "send/location", {"latitude": "38.9", "title": "HQ", "message": "123 Main St"}),
        (CommandKind.POLL, "POST", "send/poll", {}),
        (CommandKind.REACTION, "PUT", "send/reaction", {"messageId": f"false_{ANA}_A", "reaction": "👍"}),
        (CommandKind.EDIT, "PUT", "messages/edit", {"messageId": f"true_{ANA}_A", "text": "better"}),
        (CommandKind.REVOKE, "DELETE", "messages/delete", {"messageId": f"true_{ANA}_A"}),
    ],
)
def test_what_goes_over_the_wire(kind: CommandKind, method: str, path: str, content: dict[str, Any]) -> None:
    """If path, credentials or body differed from Wawp's pages, nothing would be sent at all."""
    (seen,) = requests(command("wawp", kind))
    assert (seen.method, seen.path, seen.api_key) == (method, f"/v2/{path}", None)
    common = {"instance_id": "INSTANCE_ID", "access_token": TOKEN, "chatId": ANA}
    assert seen.body.items() >= (common | content).items()


def test_a_file_may_travel_inside() -> None:
    """What is not on the web could not be sent."""
    media = {"data": "QUJD", "mime_type": "image/png", "filename": "a.png"}
    (seen,) = requests(command("wawp", CommandKind.IMAGE, body={"media": media}))
    named = {"file[data]": "QUJD", "file[mimetype]": "image/png", "file[filename]": "a.png"}
    assert seen.body.items() >= named.items()


@pytest.mark.parametrize(
    ("status", "body", "expected", "code"),
    [
        (200, {"id": "true_x@c.us_OUT"}, AttemptStatus.ACCEPTED, None),
        (200, {"result": True, "message_id": "true_x@c.us_OUT"}, AttemptStatus.ACCEPTED, None),
        (200, {"id": "true_x@c.us_OUT", "error": None, "code": None}, AttemptStatus.ACCEPTED, None),
        (200, {"code": "invalid_session", "message": "no"}, AttemptStatus.PERMANENT, 404),
        (404, {"code": "invalid_session", "message": "no"}, AttemptStatus.PERMANENT, 404),
        (200, {"code": "rest_error", "message": "no", "data": {"status": 403}}, AttemptStatus.PERMANENT, 403),
        (403, {"code": "subscription_required", "message": "pay"}, AttemptStatus.PERMANENT, 403),
        (401, {"message": "Missing access_token"}, AttemptStatus.PERMANENT, 401),
        (200, {"error": "chat not found"}, AttemptStatus.PERMANENT, 400),
        (200, {"success": False, "message": "no"}, AttemptStatus.PERMANENT, 400),
        (200, {"status": False, "message": "Daily limit reached"}, AttemptStatus.RETRYABLE, 429),
        (400, {"code": "free_plan", "message": "Your LIMIT of messages"}, AttemptStatus.RETRYABLE, 429),
        (429, {"message": "slow down"}, AttemptStatus.RETRYABLE, 429),
        (200, {"code": "wawp_upstream_error", "message": "later"}, AttemptStatus.RETRYABLE, 502),
        (502, {"code": "upstream_html_error", "message": "later"}, AttemptStatus.RETRYABLE, 502),
        (500, {"message": "broken"}, AttemptStatus.RETRYABLE, 500),
        (502, b"<html>", AttemptStatus.UNKNOWN, None),
        (200, {}, AttemptStatus.UNKNOWN, None),
        (200, b"<html>", AttemptStatus.UNKNOWN, None),
    ],
)
def test_what_an_answer_means(status: int, body: object, expected: AttemptStatus, code: int | None) -> None:
    """A refusal inside a 200 would be told as sent."""
    delivery = one(says(status, body), command("wawp"))
    assert (delivery.status, delivery.error_code) == (expected, code)
    assert (delivery.message_id is not None) == (expected is AttemptStatus.ACCEPTED)


def test_a_limit_is_waited_for() -> None:
    """A daily limit would use up all tries within a minute."""
    assert one(says(200, {"status": False, "message": "limit"}), command("wawp")).delay >= 60


def test_the_sandbox_takes_every_kind() -> None:
    """What is tested against the sandbox would not be what goes over the wire."""
    done, entries = in_sandbox("wawp", SAMPLE, None, *(command("wawp", kind) for kind in BUILDERS))
    assert [delivery.status for delivery in done] == [AttemptStatus.ACCEPTED] * len(BUILDERS)
    assert "sandbox-wawp-token" not in str(entries)
    (text,) = (entry for entry in entries if entry["type"] == "text")
    assert (text["to"], text["body"]) == ("15550001111", {"chatId": ANA, "message": TEXT})


def test_the_sandbox_refuses_as_wawp_does() -> None:
    """Errors of the real thing would first be met in production."""
    wrong = account("wawp", id="initech-instance", token="guessed")
    assert in_sandbox("wawp", wrong, None, command("wawp"))[0][0].error_code == 401
    elsewhere = account("wawp", id="another", token="sandbox-wawp-token")
    assert in_sandbox("wawp", elsewhere, None, command("wawp"))[0][0].error_code == 404
    faults = {"errors": [{"code": 502}], "limits": {"messages_per_second": 0.001, "burst": 2}}
    done, entries = in_sandbox("wawp", SAMPLE, faults, *(command("wawp", command_id=f"cmd-{n}") for n in range(3)))
    assert [each.error_code for each in done] == [502, None, 429]
    assert len(entries) == 1
    too_long = command("wawp", body=BODIES[CommandKind.TEXT] | {"text": "x" * 4097})
    assert in_sandbox("wawp", SAMPLE, None, too_long)[0][0].status is AttemptStatus.PERMANENT
