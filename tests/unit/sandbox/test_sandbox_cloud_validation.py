"""What the sandbox's Graph API takes and refuses."""

from __future__ import annotations

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.sandbox.cloud.errors import GraphError
from pipeline.sandbox.cloud.validation import parsed, read_mark, validated

TEXT = {"messaging_product": "whatsapp", "to": "15550001111", "type": "text", "text": {"body": "Hello"}}


def refusal(**changes: object) -> tuple[int, str]:
    body = {name: value for name, value in (TEXT | changes).items() if value is not ...}
    with pytest.raises(GraphError) as caught:
        validated(parsed(orjson.dumps(body)))
    return caught.value.code, str(orjson.loads(caught.value.body())["error"])


def test_a_text_is_taken_with_its_command_id() -> None:
    """The pipeline's plainest message would not be accepted, or could not be traced to its command."""
    send = validated(TEXT | {"biz_opaque_callback_data": "cmd-1"})
    assert (send.to.id, send.type, send.content, send.command_id) == (
        "15550001111",
        "text",
        {"body": "Hello"},
        "cmd-1",
    )


@pytest.mark.parametrize("given_number", ["+15550001111", "+1 (555) 000-1111", "1555.000.1111"])
def test_a_phone_number_is_reduced_to_its_digits(given_number: str) -> None:
    """One person would count as several, by how the number is written."""
    assert validated(TEXT | {"to": given_number}).to.id == "15550001111"


@pytest.mark.parametrize(
    "wrong",
    [
        "abc",
        "0033612345678",
        "123",
        "1555000111122223",
        "15550001111x",
        "\u0661\u0665\u0665\u0665\u0660\u0660\u0660\u0661",
    ],
)
def test_what_is_no_phone_number_is_refused_as_malformed(wrong: str) -> None:
    """A sender of malformed numbers would pass here and fail at Meta."""
    code, error = refusal(to=wrong)
    assert code == 131009
    assert "malformed" in error


@pytest.mark.parametrize("user_id", ["US.4815162342108", "US.ENT.9081726354433", "DE.abcXYZ"])
def test_a_business_scoped_user_id_is_a_recipient(user_id: str) -> None:
    """People without a visible phone number could not be written to."""
    send = validated({name: value for name, value in TEXT.items() if name != "to"} | {"recipient": user_id})
    assert (send.to.id, send.to.kind) == (user_id, "user")


def test_to_wins_over_recipient() -> None:
    """A send that names both would go to the other one here than at Meta."""
    assert validated(TEXT | {"recipient": "US.4815162342108"}).to.kind == "phone"


def test_a_group_takes_any_id() -> None:
    """Group messages would be refused because a group id is no phone number."""
    assert validated(TEXT | {"to": "Y2FwaV9ncm91cA", "recipient_type": "group"}).to.kind == "group"


@pytest.mark.parametrize(
    ("changes", "code", "words"),
    [
        ({"messaging_product": ...}, 100, "The parameter messaging_product is required."),
        ({"messaging_product": "sms"}, 100, "Param messaging_product"),
        ({"to": ...}, 100, "The parameter to is required."),
        ({"to": 15550001111}, 100, "Param to must be a string"),
        ({"to": ..., "recipient": "4815162342108"}, 131009, "business-scoped"),
        ({"recipient_type": "crowd"}, 100, "Param recipient_type"),
        ({"type": "fax"}, 100, "Param type must be one of"),
        ({"type": ["text"]}, 100, "Param type must be one of"),
        ({"text": ...}, 131008, "'text'"),
        ({"text": "Hello"}, 100, "Param text must be a JSON object"),
        ({"text": {}}, 100, "The parameter text['body'] is required."),
        ({"text": {"body": ""}}, 100, "The parameter text['body'] is required."),
        ({"text": {"body": 1}}, 100, "Param text['body'] must be a string"),
        ({"text": {"body": "x" * 4097}}, 100, "at most 4096 characters"),
        ({"type": "contacts", "contacts": {}}, 100, "JSON array"),
        ({"type": "image"}, 131008, "'image'"),
        ({"context": {"id": "wamid.1"}}, 100, "context['message_id']"),
        ({"biz_opaque_callback_data": 1}, 100, "biz_opaque_callback_data must be a string"),
        ({"biz_opaque_callback_data": "x" * 513}, 100, "at most 512 characters"),
    ],
)
def test_a_wrong_body_is_refused_with_metas_code(changes: dict[str, object], code: int, words: str) -> None:
    """A mistake in a body would be found in production, or retried because its code says nothing."""
    assert refusal(**changes)[0] == code
    assert words in refusal(**changes)[1].replace('\\"', "'")


def test_the_longest_text_is_taken() -> None:
    """A text of just the allowed length would be refused."""
    assert validated(TEXT | {"text": {"body": "x" * 4096}}).type == "text"


@pytest.mark.parametrize("raw", [b"", b"{", b"[]", b"null", b'"text"', b"\xff"])
def test_a_body_that_is_no_object_lacks_its_first_parameter(raw: bytes) -> None:
    """A broken client would be answered with a traceback instead of the Graph API's error."""
    with pytest.raises(GraphError) as caught:
        parsed(raw)
    assert caught.value.code == 100


words = st.sampled_from(
    ["", "15550001111", "US.1", "text", "image", "group", "body", "message_id", "é\x00", "x" * 5000]
)
json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | words,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(words, inner, max_size=3),
    max_leaves=10,
)
fields = (
    "to",
    "recipient",
    "recipient_type",
    "type",
    "text",
    "image",
    "contacts",
    "context",
    "biz_opaque_callback_data",
)


@given(st.dictionaries(st.sampled_from(fields), json_values))
def test_any_object_is_taken_or_refused_in_form(body: dict[str, object]) -> None:
    """An odd body would crash the sandbox in the middle of a load."""
    try:
        validated(body)
    except GraphError as error:
        assert orjson.loads(error.body())["error"]["code"] == error.code


def test_a_read_mark_names_its_message_and_its_typing_indicator() -> None:
    """Read marks and typing indicators could not be told apart in tests."""
    mark = {"status": "read", "message_id": "wamid.T1"}
    assert read_mark(mark) == ("wamid.T1", False)
    assert read_mark(mark | {"typing_indicator": {"type": "text"}}) == ("wamid.T1", True)


@pytest.mark.parametrize(
    ("body", "code"),
    [
        ({"status": "delivered", "message_id": "wamid.T1"}, 100),
        ({"status": "read"}, 100),
        ({"status": "read", "message_id": "evt-1"}, 131009),
        ({"status": "read", "message_id": 7}, 131009),
    ],
)
def test_a_wrong_read_mark_is_refused(body: dict[str, object], code: int) -> None:
    """A pipeline that marks its own ids as read would pass here and fail at Meta."""
    with pytest.raises(GraphError) as caught:
        read_mark(body)
    assert caught.value.code == code
