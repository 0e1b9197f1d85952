"""Campaign and tags: every send takes them, and names that no status could carry are refused."""

from __future__ import annotations

from typing import Any

import pytest

from pipeline.handlers import EventHandler, IMessenger
from pipeline.testing import HandlerDriver, api_message
from tests.support.handler_events import USER
from tests.unit.handlers.test_messenger import refused, sent


class Silent(EventHandler):
    async def process_message(self, webhook: Any) -> None:
        """Nothing: the API sends by itself."""


def test_a_send_carries_its_campaign_and_tags() -> None:
    """Nobody could tell which campaign a message belongs to."""

    async def body(messenger: IMessenger) -> None:
        await messenger.send_text("hi", USER, campaign="spring-sale", tags=["vip", "b_2"])
        await messenger.send_text_template(
            "sale", USER, language_code="en", template_type="marketing", campaign="spring-sale"
        )
        await messenger.send_text("hi", USER)

    one, two, three = sent(body)
    assert (one.campaign, one.tags) == ("spring-sale", ("vip", "b_2"))
    assert (two.campaign, two.tags, two.body["category"]) == ("spring-sale", None, "marketing")
    assert (three.campaign, three.tags) == (None, None)
    assert b"tags" not in three.model_dump_json(exclude_none=True).encode(), "the usual command is no longer"


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"campaign": ""}, "the campaign is not 1 to 64 characters"),
        ({"campaign": "two words"}, "e.g. spring-sale"),
        ({"campaign": "x" * 65}, "1 to 64"),
        ({"campaign": 7}, "1 to 64"),
        ({"tags": "vip"}, "no list of up to 5"),
        ({"tags": list("abcdef")}, "no list of up to 5"),
        ({"tags": ["a.b"]}, "a tag is not 1 to 64"),
        ({"tags": ["a", "a"]}, "there twice"),
        ({"tags": [None]}, "a tag is not"),
    ],
)
def test_a_name_that_can_not_be_carried_is_refused(options: dict[str, Any], words: str) -> None:
    """The send would go out, and its statuses bring something else back, or nothing."""
    result = refused(lambda messenger: messenger.send_text("hi", USER, **options))
    assert words in (result.error or "")
    assert len((result.error or "").splitlines()) == 1
    assert result.error_code == "VALIDATION"


def test_a_send_by_http_carries_them_too() -> None:
    """A shop's campaigns would be in no report."""
    driver = HandlerDriver(Silent())
    driver.handle(api_message(recipient=USER, text="hi", campaign="spring", tags=["vip"]))
    (command,) = driver.sent
    assert (command.campaign, command.tags) == ("spring", ("vip",))
