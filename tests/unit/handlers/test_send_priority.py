"""The priority of a send that names none."""

from __future__ import annotations

from typing import Any

import pytest

from pipeline.handlers.outbound.models import TemplateType
from pipeline.topics.commands import Priority
from tests.support.messengers import call
from tests.support.send_api import USER
from tests.unit.handlers.api.test_send_api_paths import sent

PLACE = {"latitude": "37.48", "longitude": "-122.14", "name": "Shop", "address": "Main Street 1"}
TEMPLATES: list[tuple[str, dict[str, Any]]] = [
    ("send_text_template", {}),
    ("send_media_template", {"media_type": "image", "media_id": "1"}),
    ("send_location_template", PLACE),
    ("send_template", {}),
]


def priority(method: str, **given: Any) -> Priority:
    result, (command,) = call(method, {"recipient": USER, "template_name": "sale", "language_code": "en"} | given)
    assert result.success, result.error
    return command.priority


@pytest.mark.parametrize("route", ["category_default", "cloud_messages_fallback"])
@pytest.mark.parametrize("kind", ["marketing", TemplateType.MARKETING])
@pytest.mark.parametrize(("method", "more"), TEMPLATES)
def test_a_marketing_template_is_bulk(method: str, more: dict[str, Any], kind: str, route: str) -> None:
    """A campaign would stand before the answers of everybody who shares its number's lane."""
    assert priority(method, template_type=kind, routing_policy=route, **more) is Priority.BULK


@pytest.mark.parametrize("asked", [Priority.INTERACTIVE, Priority.BULK])
@pytest.mark.parametrize("kind", ["marketing", "utility", None])
def test_what_the_caller_says_counts(kind: str | None, asked: Priority) -> None:
    """A coupon that somebody has just asked for would wait for a campaign, or a campaign not be made bulk."""
    assert priority("send_text_template", template_type=kind, priority=asked) is asked


@pytest.mark.parametrize("kind", ["utility", None])
@pytest.mark.parametrize(("method", "more"), TEMPLATES)
def test_any_other_template_is_interactive(method: str, more: dict[str, Any], kind: str | None) -> None:
    """An order's confirmation would wait for a campaign."""
    assert priority(method, template_type=kind, **more) is Priority.INTERACTIVE


def test_the_http_api_has_the_same_defaults() -> None:
    """A campaign of another system would stand before the answers, where a handler's does not."""
    template = {"template_name": "sale", "language_code": "en"}
    assert sent("templates/send-text", **template, category="marketing").priority is Priority.BULK
    assert sent("templates/send-text", **template, template_type="marketing").priority is Priority.BULK
    assert sent("templates/send-text", **template, category="utility").priority is Priority.INTERACTIVE
    asked = sent("templates/send-text", **template, category="marketing", priority="interactive")
    assert asked.priority is Priority.INTERACTIVE
