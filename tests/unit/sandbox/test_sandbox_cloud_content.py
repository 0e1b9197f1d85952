"""What the sandbox's Graph API refuses inside of a message, type by type, with Meta's codes."""

from __future__ import annotations

from typing import Any

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.sandbox.cloud.content import check_content
from pipeline.sandbox.cloud.errors import GraphError

LINK = {"link": "https://files.example/a.jpg"}
REPLY = {"type": "reply", "reply": {"id": "a", "title": "A"}}
ROW = {"id": "r", "title": "Row"}
CARD = {"header": {"type": "image", "image": LINK}, "action": {"buttons": [{"quick_reply": {"id": "a", "title": "A"}}]}}


def interactive(kind: str, action: object, **more: object) -> dict[str, Any]:
    return {"type": kind, "body": {"text": "Well?"}, "action": action, **more}


BROKEN = ["two\nlines", "a\ttab", "five     spaces", "two\r\nlines"]


def body(text: str) -> dict[str, Any]:
    return {"type": "body", "parameters": [{"type": "text", "text": text}]}


def template(text: str) -> dict[str, Any]:
    return {"name": "a", "language": {"code": "es"}, "components": [body(text)]}


CARDS = {"type": "carousel", "cards": [{"card_index": 0, "components": [body("a\nb")]}]}


def buttons(*given: object, **more: object) -> dict[str, Any]:
    return interactive("button", {"buttons": list(given)}, **more)


def listed(*sections: object) -> dict[str, Any]:
    return interactive("list", {"button": "Open", "sections": list(sections)})


@pytest.mark.parametrize(
    ("kind", "content", "code", "words"),
    [
        ("image", {}, 131008, "one of 'id' and 'link'"),
        ("image", {"id": "404"}, 100, "not a valid whatsapp business account media attachment ID"),
        ("image", {"link": "file:///etc/passwd"}, 100, "not a valid URI"),
        ("image", LINK | {"caption": "x" * 1025}, 131009, "caption"),
        ("audio", LINK | {"caption": "x"}, 100, "Unexpected key"),
        ("location", {"latitude": 1}, 100, "longitude"),
        ("location", {"latitude": 91, "longitude": 0}, 131009, "latitude"),
        ("contacts", [], 100, "contacts"),
        ("contacts", [{"name": {}}], 100, "formatted_name"),
        ("contacts", [{"name": {"formatted_name": "Bo"}}], 131009, "first_name"),
        ("reaction", {"message_id": "wamid.1", "emoji": "ok"}, 131009, "emoji"),
        *(("template", template(text), 132018, "more than 4 consecutive spaces") for text in BROKEN),
        ("template", template(""), 100, "Parameter 'text' is mandatory"),
        (
            "template",
            {"name": "a", "language": {"code": "es"}, "components": [CARDS]},
            132018,
            "more than 4 consecutive spaces",
        ),
        ("reaction", {"message_id": "cmd-1", "emoji": "x"}, 131009, "message_id"),
        ("reaction", {"message_id": "wamid.1"}, 100, "emoji"),
        ("template", {"name": "hello"}, 100, "language"),
        ("template", {"language": {"code": "es"}}, 100, "name"),
        (
            "template",
            {"name": "a", "language": {"code": "es"}, "components": [{"type": "body", "parameters": [{}]}]},
            100,
            "parameters",
        ),
        ("pin", {"type": "stick"}, 100, "PIN"),
        ("interactive", {"type": "hologram"}, 100, "interactive['type']"),
        ("interactive", {"type": "button", "body": {"text": "a"}}, 100, "action"),
        ("interactive", {"type": "button", "action": {"buttons": [REPLY]}}, 100, "body"),
        ("interactive", buttons(), 131009, "Invalid buttons count"),
        ("interactive", buttons(REPLY, REPLY), 131009, "Duplicated button id"),
        ("interactive", buttons(REPLY, {"reply": {"id": "b", "title": "A"}}), 131009, "Duplicated button title"),
        ("interactive", buttons({"reply": {"id": "a", "title": "x" * 21}}), 131009, "Button title length invalid"),
        ("interactive", buttons(REPLY, footer={"text": "x" * 61}), 131009, "Footer"),
        ("interactive", buttons(REPLY, header={"type": "text", "text": "x" * 61}), 131009, "Header"),
        ("interactive", buttons(REPLY, header={"type": "image", "image": {"id": "404"}}), 100, "attachment ID"),
        ("interactive", listed({"title": "a", "rows": []}), 100, "rows"),
        ("interactive", listed({"rows": [ROW]}, {"title": "b", "rows": [ROW]}), 100, "title"),
        (
            "interactive",
            listed(*({"title": t, "rows": [{"id": f"{t}{n}", "title": "R"} for n in range(6)]} for t in "ab")),
            131009,
            "Total row count exceed max allowed count: 10",
        ),
        ("interactive", interactive("cta_url", {"parameters": {"display_text": "Go", "url": "x"}}), 100, "URI"),
        ("interactive", interactive("flow", {"name": "flow", "parameters": {"flow_cta": "Go"}}), 131009, "version"),
        ("interactive", interactive("carousel", {"cards": [CARD | {"card_index": 0}]}), 131009, "cards"),
        ("interactive", interactive("carousel", {"cards": [CARD, CARD]}), 131009, "card_index"),
        ("interactive", interactive("voice_call", {"name": "call"}), 100, "VOICE_CALL"),
        ("interactive", interactive("product", {"catalog_id": "1"}), 100, "product_retailer_id"),
        ("interactive", interactive("product_list", {"catalog_id": "1"}), 100, "header"),
    ],
)
def test_what_meta_refuses_is_refused(kind: str, content: object, code: int, words: str) -> None:
    """A wrong body would pass here and be refused in production."""
    with pytest.raises(GraphError) as caught:
        check_content(kind, content, lambda _: False)
    assert caught.value.code == code
    assert words in str(orjson.loads(caught.value.body())["error"]).replace('\\"', "'")


def test_a_scheme_in_capitals_is_taken() -> None:
    """A link that Meta takes would be refused here."""
    check_content("image", {"link": "HTTPS://files.example/a.jpg"}, lambda _: False)
    content = interactive("cta_url", {"parameters": {"display_text": "Go", "url": "HTTPS://example.com"}})
    check_content("interactive", content, lambda _: False)


def test_four_spaces_are_taken() -> None:
    """A variable that Meta takes would be refused here."""
    check_content("template", template("four    spaces"), lambda _: False)


def test_a_known_medium_is_taken() -> None:
    """What was uploaded could not be sent."""
    check_content("image", {"id": "1", "caption": "x" * 1024}, lambda media_id: media_id == "1")


words = st.sampled_from(["", "1", "text", "image", "button", "list", "flow", "carousel", "wamid.1"])
_FRAMES = ["type", "body", "text", "action", "header", "parameters", "name", "id", "components", "language"]
_PARTS = ["buttons", "sections", "rows", "cards", "title", "reply", "image", "link", "product_items", "latitude"]
_names = st.sampled_from([*_FRAMES, *_PARTS])
json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | words,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(_names, inner, max_size=4),
    max_leaves=12,
)
objects = st.dictionaries(_names, json_values, max_size=5)
kinds = st.sampled_from(["image", "location", "reaction", "template", "pin", "interactive", "text"])


@given(kinds, objects)
def test_any_content_is_taken_or_refused_in_form(kind: str, content: dict[str, object]) -> None:
    """An odd body would crash the sandbox in the middle of a load."""
    try:
        check_content(kind, content, lambda _: False)
    except GraphError as error:
        assert orjson.loads(error.body())["error"]["code"] == error.code
