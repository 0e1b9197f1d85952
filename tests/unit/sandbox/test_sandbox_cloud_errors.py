"""The Graph API's errors as the sandbox words them."""

from __future__ import annotations

from typing import Any

import orjson

from pipeline.sandbox.cloud.errors import GraphError, bad_token, known, no_such_object, reported


def error_of(error: GraphError) -> dict[str, Any]:
    found: dict[str, Any] = orjson.loads(error.body())["error"]
    return found


def test_an_over_limit_answer_is_metas() -> None:
    """The messenger would be tested against an over-limit answer that Meta never gives."""
    error = error_of(known(130429))
    assert error.pop("fbtrace_id")
    assert error == {
        "message": "(#130429) Rate limit hit",
        "type": "OAuthException",
        "code": 130429,
        "error_data": {
            "messaging_product": "whatsapp",
            "details": "Cloud API message throughput has been reached.",
        },
    }
    assert known(130429).http == 400


def test_a_bad_token_and_an_unknown_number_are_metas() -> None:
    """A wrong set-up would be answered unlike at Meta, and the operator misled."""
    assert (bad_token().http, error_of(bad_token())["code"]) == (401, 190)
    unknown = error_of(no_such_object("1"))
    assert (unknown["code"], unknown["error_subcode"], unknown["type"]) == (100, 33, "GraphMethodException")
    assert "Object with ID '1' does not exist" in unknown["message"]


def test_every_answer_has_a_trace_id_of_its_own() -> None:
    """Two failures in a log could not be told apart."""
    assert error_of(known(131000))["fbtrace_id"] != error_of(known(131000))["fbtrace_id"]


def test_an_unlisted_code_is_answered_all_the_same() -> None:
    """A test of a code that is new at Meta would need a new sandbox first."""
    error = known(999999, http=503)
    assert (error.http, error_of(error)["code"]) == (503, 999999)


def test_a_reported_error_has_the_webhooks_shape() -> None:
    """A failed status would lack the fields that parsers read."""
    assert set(reported(131026)) == {"code", "title", "message", "error_data", "href"}
