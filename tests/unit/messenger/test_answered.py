"""An answer proves that a provider is there; a proxy's answer in its place, or none, that it is away."""

from __future__ import annotations

from datetime import UTC, datetime

import orjson
import pytest
from aiohttp import ClientConnectionError
from pydantic import SecretStr

from pipeline.providers.base import AttemptStatus, SendAttempt
from pipeline.providers.cloud import answer as cloud
from pipeline.providers.gateway import answer as gateway
from pipeline.providers.gateway.answer import GatewayAnswer
from pipeline.providers.shared.http import no_answer
from pipeline.providers.waha.deliver import DIALECT as WAHA
from pipeline.providers.wasender import answer as wasender
from pipeline.providers.wawp.deliver import DIALECT as WAWP
from pipeline.tenants import Account
from pipeline.topics.commands import Command, CommandKind

ACCOUNT = Account(provider="cloud", id="1", token=SecretStr("t"))
COMMAND = Command(
    command_id="cmd-1",
    tenant_id="acme",
    provider="cloud",
    account="1",
    recipient="15550001111",
    kind=CommandKind.TEXT,
    body={"text": "hi"},
    created_at=datetime.now(UTC),
)
PAGE = b"<html><h1>Bad Gateway</h1></html>"
ERROR = orjson.dumps(
    {"error": {"code": 131000, "message": "Something went wrong"}, "success": False, "message": "no", "statusCode": 503}
)
MESSAGE = orjson.dumps({"messages": [{"id": "wamid.1"}], "id": "3EB0", "data": {"msgId": 1}})


def _attempts(status: int, body: bytes) -> dict[str, SendAttempt]:
    answer = GatewayAnswer.of(status, {}, body)
    return {
        "cloud": cloud.interpret(status, {}, body, COMMAND, ACCOUNT),
        "wasender": wasender.interpret(status, {}, body, COMMAND, ACCOUNT, creates_message=True),
        "waha": gateway.interpret(answer, WAHA.read_error(answer), COMMAND, ACCOUNT, WAHA.codes),
        "wawp": gateway.interpret(answer, WAWP.read_error(answer), COMMAND, ACCOUNT, WAWP.codes),
    }


@pytest.mark.parametrize("status", [502, 503, 504])
def test_a_proxys_answer_shows_that_the_provider_is_away(status: int) -> None:
    """Each command of a gateway that is down behind its proxy would be tried, and become one in doubt."""
    assert {name: attempt.answered for name, attempt in _attempts(status, PAGE).items()} == dict.fromkeys(
        ("cloud", "wasender", "waha", "wawp"), False
    )


@pytest.mark.parametrize(
    ("status", "body"),
    [(200, MESSAGE), (503, ERROR), (502, ERROR), (500, ERROR), (500, PAGE), (429, PAGE), (400, ERROR), (404, PAGE)],
)
def test_an_answer_of_the_provider_itself_shows_that_it_is_there(status: int, body: bytes) -> None:
    """An account would be held for errors of single messages, which its retry policy treats well."""
    assert all(attempt.answered for attempt in _attempts(status, body).values())


@pytest.mark.parametrize("status", [521, 522, 523, 524, 525, 526])
def test_wasenders_proxy_has_codes_of_its_own(status: int) -> None:
    """Wasender's outage would be noticed by every command for itself."""
    assert not _attempts(status, PAGE)["wasender"].answered


@pytest.mark.parametrize("status", [AttemptStatus.RETRYABLE, AttemptStatus.UNKNOWN])
def test_no_answer_is_none(status: AttemptStatus) -> None:
    """A host that hangs or can't be reached would never open a breaker."""
    assert not no_answer(status, ClientConnectionError(), "no connection").answered
