"""What the messenger calls a success is what Meta takes, and what it refuses is a result, never an exception.

Each argument of each send, and each leaf inside it, is replaced by odd values. The judge is the sandbox, which knows
Meta's rules and nothing of the pipeline.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterator
from copy import deepcopy
from typing import Any, Final

import orjson
import pytest

from pipeline.providers.cloud.bodies import build_body
from pipeline.sandbox.cloud.validation import read_mark, validated
from pipeline.testing import TestRecord
from pipeline.topics.codec import decode_command, encode_command
from pipeline.topics.commands import Command
from tests.support.messengers import call

USER: Final = "15550001111"
LINK: Final = "https://files.example/a.jpg"
GROUP: Final = "Y2FwaV9ncm91cDoxMjM0NTY3ODkwWkQ"
MEDIUM: Final = {"type": "image", "image": {"link": LINK}}
CARD: Final = {
    "name": {"formatted_name": "Bo", "first_name": "Bo"},
    "phones": [{"phone": "+1555", "wa_id": "1555"}],
    "emails": [{"email": "bo@example.com"}],
    "org": {"company": "Acme"},
}
BUTTONS: Final = [{"id": "a", "title": "A"}, {"id": "b", "title": "B"}]
FLOW: Final = {"flow_id": "1", "flow_token": "t", "mode": "draft", "flow_action_payload": {"screen": "S"}}
COMPONENTS: Final = [
    {"type": "header", "parameters": [{"type": "image", "image": {"link": LINK}}]},
    {"type": "body", "parameters": [{"type": "text", "text": "x"}, {"type": "currency", "currency": {"code": "USD"}}]},
    {"type": "button", "sub_type": "url", "index": "0", "parameters": [{"type": "text", "text": "x"}]},
]
FRAME: Final = {"body": "b", "header": "h", "footer": "f"}
NAMED: Final = {"template_name": "n", "language_code": "en"}
SENDS: Final[dict[str, dict[str, Any]]] = {
    "send_text": {"text": "hi", "reply_to_message_id": "wamid.X"},
    "send_button_message": {"buttons": BUTTONS, **FRAME},
    "send_list_message": {
        "sections": [{"title": "S", "rows": [{"id": "1", "title": "t"}]}],
        "button_text": "b",
        **FRAME,
    },
    "send_cta_message": {"button_text": "go", "button_url": LINK, "body": "b", "header": MEDIUM},
    "send_image": {"image_source": LINK, "caption": "c"},
    "send_audio": {"audio_source": {"link": LINK}, "is_voice": True},
    "send_video": {"video_source": {"link": LINK}, "caption": "c"},
    "send_location": {"latitude": 1.0, "longitude": 2.0, "name": "n", "address": "a"},
    "send_contacts": {"contacts": [CARD]},
    "send_address_request": {
        "body": "b",
        "values": {"name": "x"},
        "saved_addresses": [{"id": "1", "value": {"a": "x"}}],
    },
    "send_call_button": {"body": "b", "button_text": "call", "ttl_minutes": 5},
    "send_catalog": {"body": "b", "thumbnail_product_retailer_id": "sku"},
    "send_products": {"catalog_id": "c", "sections": [{"title": "t", "product_retailer_ids": ["a"]}], **FRAME},
    "send_carousel": {"body": "b", "cards": [{"header": MEDIUM, "buttons": BUTTONS}] * 2},
    "send_flow": {"flow": FLOW, "button_text": "go", **FRAME},
    "send_text_template": NAMED | {"body_parameters": ["x", {"type": "text", "text": "x"}]},
    "send_location_template": NAMED | {"latitude": 1, "longitude": "2", "name": "n", "address": "a"},
    "send_template": NAMED | {"components": COMPONENTS},
    "pin_message": {"message_id": "wamid.X", "pin_for": 86_400},
}
SURROGATE: Final = "a\ud83d"
ODD: Final[list[Any]] = [
    *(None, "", " ", "\n", "x", "a\nb", "a     b", "x" * 21, "x" * 61, "x" * 1025, "x" * 5000, 0, 5, -1, 1.5, True),
    *(
        float("nan"),
        [],
        {},
        {5: 1},
        [None],
        [{}],
        {"a": 1},
        (),
        ({},),
        b"x",
        b"\xff",
        object(),
        SURROGATE,
        (SURROGATE,),
    ),
    *({SURROGATE: 1}, OrderedDict(type="text", text=SURROGATE), "HTTPS://files.example/a.jpg", "https://", "http:// x"),
    *(
        "wamid.X",
        "abc",
        "+1 555 000-1111",
        "12345",
        "0015550001111",
        "1" * 16,
        "\N{ZERO WIDTH SPACE}",
        "US.1",
        "x" * 21,
    ),
]


def _leaves(node: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    if path:
        yield path
    items = node.items() if isinstance(node, dict) else enumerate(node) if isinstance(node, list) else ()
    for name, child in items:
        yield from _leaves(child, (*path, name))


def _at(node: Any, path: tuple[Any, ...]) -> Any:
    for part in path:
        node = node[part]
    return node


def _judge(command: Command) -> None:
    """Raises what the sandbox answers to the command, once it has been on its topic."""
    body = orjson.loads(orjson.dumps(build_body(decode_command(TestRecord.of(encode_command(command))))))
    read_mark(body) if "status" in body else validated(body, lambda _: True)


@pytest.mark.parametrize("method", SENDS)
def test_what_is_a_success_is_taken(method: str) -> None:
    """A handler would be told that it has sent what Meta refuses; or one odd value lose all sends of its event."""
    given = {"recipient": GROUP if method == "pin_message" else USER, **SENDS[method]}
    assert call(method, given)[0].success
    taken = 0
    for path in _leaves(
        SENDS[method] if method == "pin_message" else given
    ):  # whom a pin may be for, Meta alone limits
        for odd in ODD:
            asked = deepcopy(given)
            _at(asked, path[:-1])[path[-1]] = odd
            result, commands = call(method, asked)
            assert result.success == bool(commands), (path, odd, result.error)
            for command in commands:
                _judge(command)
                taken += 1
    assert taken


@pytest.mark.parametrize("odd", ["5", [], {}, b"x", float("nan"), -1, 10**400])
def test_an_odd_lifetime_is_a_result(odd: Any) -> None:
    """A handler would end in an exception, and none of its sends go out."""
    assert not call("send_text", {"text": "hi", "recipient": USER, "expires_in": odd})[0].success
