"""The sandbox's Wasender: its endpoints over real HTTP, its limits, and webhooks that the ingress takes."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from aiohttp import ClientSession

from pipeline.providers import PROVIDERS
from pipeline.providers.base import AttemptStatus, SendAttempt, WebhookRequest
from pipeline.sandbox.config import SAMPLE_ACCOUNTS, SandboxAccount, SandboxConfig
from pipeline.sandbox.core import Sandbox
from pipeline.sandbox.errors import NotSupported, SandboxError
from pipeline.sandbox.limits import LimitEnforcer, SandboxLimits
from pipeline.sandbox.provider import SandboxProvider, UserMessage
from pipeline.sandbox.server import served
from pipeline.sandbox.status_queue import Update
from pipeline.sandbox.statuses import StatusStep
from pipeline.sandbox.wasender import WasenderApi
from pipeline.sandbox.wasender.limits import PLANS
from pipeline.sandbox.webhooks import SignedWebhook
from pipeline.tenants import load_tenants
from pipeline.testing import TestRecord
from pipeline.topics import headers
from pipeline.topics.commands import Command, CommandKind
from pipeline.topics.events import MessageEvent, StatusEvent, decode
from tests.support import gateway_calls as calls
from tests.support.stacks import ROOT

TENANTS = load_tenants(ROOT / "examples" / "tenants.yaml", {"PIPELINE_SANDBOX_URL": "http://127.0.0.1:8090"})
SESSION = TENANTS.accounts("wasender")[0]
(SAMPLE,) = [account for account in SAMPLE_ACCOUNTS if account.provider == "wasender"]
ORIGINAL = "3EB0AAAA"


def provider() -> SandboxProvider:
    sandbox = Sandbox(SandboxConfig(statuses=()))
    sandbox.add(WasenderApi)
    return sandbox.provider("wasender")


def taken(webhook: SignedWebhook) -> list[Any]:
    """The events that the pipeline makes of a webhook which its ingress lets in."""
    named = {name.lower(): value for name, value in webhook.headers.items()}
    tenant = webhook.path.removeprefix("/webhooks/wasender/")
    request = WebhookRequest(webhook.body, named, {}, tenant, "127.0.0.1")
    wasender = PROVIDERS["wasender"]
    assert wasender.authenticate(request, TENANTS)
    slices = wasender.split(request, TENANTS)
    assert SAMPLE.token.encode() not in b"".join(part.body for part in slices)
    records = [TestRecord(part.body, headers=((headers.ACCOUNT, part.account.encode()),)) for part in slices]
    wires = [wire for record in records for wire in wasender.parse(record)]
    return [decode(TestRecord(wire.encode("acme"))) for wire in wires]


def written(**fields: Any) -> tuple[list[str], SignedWebhook]:
    message = UserMessage.model_validate({"from": "15550001111", **fields})
    return provider().message_webhook(SAMPLE, message)


def test_users_messages_are_taken() -> None:
    """Nobody could try out a handler with this provider."""
    ids, webhook = written(text=["hi", "there"], name="Ana")
    found = taken(webhook)
    assert all(isinstance(event, MessageEvent) for event in found)
    assert [event.get_message_text() for event in found] == ["hi", "there"]
    assert [event.message.id for event in found] == ids
    assert {(event.user.profile_name, event.account) for event in found} == {("Ana", "globex-session")}


FILE = {"url": "https://files.example/a", "mime_type": "image/jpeg", "caption": "look", "filename": "a.jpg"}
CONTENTS: dict[str, Any] = {
    "image": FILE,
    "video": FILE | {"mime_type": "video/mp4"},
    "document": FILE | {"mime_type": "application/pdf"},
    "audio": {"url": "https://files.example/a", "mime_type": "audio/ogg; codecs=opus", "voice": True},
    "sticker": {"url": "https://files.example/a", "mime_type": "image/webp", "animated": True},
    "location": {"latitude": 38.9, "longitude": -77.1, "name": "HQ", "address": "123 Main St"},
    "contacts": [{"name": {"formatted_name": "Jane"}, "phones": [{"phone": "+91 111", "wa_id": "91111"}]}],
    "interactive": {"type": "list_reply", "list_reply": {"id": "1", "title": "One"}},
    "button": {"text": "Yes", "payload": "y"},
    "reaction": {"message_id": ORIGINAL, "emoji": "👍"},
    "edit": {"original_message_id": ORIGINAL, "message": {"type": "text", "text": {"body": "better"}}},
    "revoke": {"original_message_id": ORIGINAL},
    "poll": {"name": "When?", "options": ["Now", "Later"], "selectable_count": 1},
    "poll_vote": {"poll_message_id": ORIGINAL},
}


@pytest.mark.parametrize("kind", CONTENTS)
def test_every_type_of_message_goes_there_and_back(kind: str) -> None:
    """What a user sends through the sandbox would reach the handler as something else."""
    (event,) = taken(written(type=kind, content=CONTENTS[kind])[1])
    assert isinstance(event, MessageEvent)
    assert event.user.user_id == "15550001111"
    held = event.message.model_dump(mode="json", exclude_unset=True)[kind]
    given, found = ([each] if isinstance(each, dict) else each for each in (CONTENTS[kind], held))
    assert [{name: each[name] for name in wanted} for wanted, each in zip(given, found, strict=True)] == given


@pytest.mark.parametrize(("kind", "content"), [("order", {}), ("location", {}), ("edit", {})])
def test_what_there_is_not(kind: str, content: Any) -> None:
    """A slip in a request to the sandbox would be an error of the sandbox."""
    with pytest.raises(NotSupported):
        written(type=kind, content=content)
    with pytest.raises(NotSupported, match="no handshake"):
        asyncio.run(provider().verify(SAMPLE, Sandbox(SandboxConfig()).ingress))


@pytest.mark.parametrize("status", ["failed", "pending", "sent", "delivered", "read", "played"])
def test_statuses_are_taken(status: str) -> None:
    """Statuses of the sandbox would mean something else than the provider's."""
    fields = {"chat": "15550001111@s.whatsapp.net", "id": "3EB0OUT"}
    update = Update(SAMPLE, "100000", fields, (StatusStep(status=status, after=0),), 1_760_000_000.0)
    (event,) = taken(provider().status_webhook([update]))
    assert isinstance(event, StatusEvent)
    assert (event.status, event.message_id, event.recipient_id) == (status, "3EB0OUT", "15550001111")
    assert event.timestamp.timestamp() == 1_760_000_000
    assert (event.model_extra or {}).get("msg_id") == ("100000" if status == "sent" else None)


def test_a_status_that_wasender_does_not_have_is_named() -> None:
    """The statuses of a fault would silently not come."""
    update = Update(SAMPLE, "1", {"chat": "1", "id": "A"}, (StatusStep(status="dreamed", after=0),), 0.0)
    with pytest.raises(SandboxError, match="dreamed"):
        provider().status_webhook([update])


def in_sandbox(*commands: Command, faults: dict[str, Any] | None = None) -> tuple[list[SendAttempt], Any]:
    return calls.in_sandbox("wasender", SESSION, faults, *commands)


def command(kind: CommandKind = CommandKind.TEXT, **changes: Any) -> Command:
    return calls.command("wasender", kind, **changes)


@pytest.mark.parametrize("kind", sorted(PROVIDERS["wasender"].kinds - {CommandKind.EDIT, CommandKind.REVOKE}))
def test_it_takes_what_the_pipeline_sends(kind: CommandKind) -> None:
    """The pipeline or the sandbox would speak another Wasender than the real one."""
    (delivery,), sent = in_sandbox(command(kind))
    assert delivery.status is AttemptStatus.ACCEPTED
    if kind in (CommandKind.READ, CommandKind.TYPING):
        assert sent == []
        return
    (entry,) = sent
    assert (entry["provider"], entry["account"], entry["to"]) == ("wasender", "globex-session", "15550001111")
    assert (entry["type"], entry["message_id"]) == (kind, delivery.message_id)


def test_what_was_sent_can_be_changed() -> None:
    """Edits and deletions could not be tried out."""
    edit = command(CommandKind.EDIT, body={"message_id": "100000", "text": "New"})
    revoke = command(CommandKind.REVOKE, body={"message_id": "100000"})
    other = command(CommandKind.REVOKE, body={"message_id": "5"})
    done, sent = in_sandbox(command(), edit, revoke, other)
    assert [each.status for each in done] == [AttemptStatus.ACCEPTED] * 3 + [AttemptStatus.PERMANENT]
    assert [entry["type"] for entry in sent] == ["text", "edit", "revoke"]


def test_data_and_linked_ids_go_their_long_way() -> None:
    """Uploads and linked ids could not be tried out."""
    image = command(CommandKind.IMAGE, body={"media": {"data": "SGk=", "mime_type": "image/png"}})
    done, sent = in_sandbox(image, command(recipient="15550001111@lid"))
    assert [each.status for each in done] == [AttemptStatus.ACCEPTED] * 2
    assert ["/uploads/" in str(entry["body"]) for entry in sent] == [True, False]
    assert sent[1]["to"] == "15550001111"


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({}, "to"),
        ({"to": "+15550001111"}, "text"),
        ({"to": "somebody", "text": "x"}, "to"),
        ({"to": "120363111111111111@newsletter", "imageUrl": "https://x.example/a.jpg"}, "to"),
        ({"to": "+15550001111", "imageUrl": "a.jpg"}, "imageUrl"),
        ({"to": "+15550001111", "imageUrl": "https://x.example", "poll": {}}, "poll"),
        ({"to": "+15550001111", "stickerUrl": "https://x.example/a.webp", "text": "x"}, "text"),
        ({"to": "+15550001111", "poll": {"question": "?", "options": ["one"]}}, "poll.options"),
        ({"to": "+15550001111", "contact": {"name": "Jane"}}, "contact.phone"),
        ({"to": "+15550001111", "location": {"latitude": "1", "longitude": 2}}, "location.latitude"),
        ({"to": "+15550001111", "text": "x", "replyTo": "3EB0"}, "replyTo"),
    ],
)
def test_it_refuses_what_wasender_refuses(body: dict[str, Any], field: str) -> None:
    """A slip would pass here, and fail in front of customers."""
    status, answer, _ = asyncio.run(posted(body))
    assert (status, answer["success"], list(answer["errors"])) == (422, False, [field])


async def posted(body: Any, token: str = SAMPLE.token, plan: str = "paid", times: int = 1) -> tuple[int, Any, Any]:
    """The last answer to so many sends."""
    account = SandboxAccount("wasender", "s", SAMPLE.token, "secret", tenant="globex", plan=plan)  # type: ignore[arg-type]
    headers = {"Authorization": f"Bearer {token}"}
    config = SandboxConfig(port=0, accounts=(account,), statuses=(), limits=SandboxLimits(messages_per_second=None))
    async with served(config) as url, ClientSession(headers=headers) as session:
        for _ in range(times):
            async with session.post(f"{url}/api/send-message", json=body) as response:
                status, answer, told = response.status, await response.json(), dict(response.headers)
        async with session.get(f"{url}/_sandbox/violations") as response:
            told["violations"] = await response.json()
    return status, answer, told


def test_a_linked_id_and_a_wrong_key_are_refused() -> None:
    """A sender that skips the look-up, or has another session's key, would pass here."""
    status, answer, _ = asyncio.run(posted({"to": "777000111@lid", "text": "x"}))
    assert (status, answer["message"]) == (422, "The provided JID does not exist on WhatsApp")
    status, answer, _ = asyncio.run(posted({"to": "+15550001111", "text": "x"}, token="another-key"))
    assert (status, answer["success"]) == (401, False)


@pytest.mark.parametrize(("plan", "times", "wait"), [("protected", 2, 5), ("trial", 2, 60), ("paid", 257, 60)])
def test_each_plan_has_its_limit(plan: str, times: int, wait: int) -> None:
    """A campaign would run here, and throttle the number there."""
    status, answer, told = asyncio.run(posted({"to": "+15550001111", "text": "x"}, plan=plan, times=times))
    assert status == 429
    assert wait - 5 <= answer["retry_after"] <= wait
    assert (told["X-RateLimit-Limit"], told["X-RateLimit-Remaining"]) == (
        str(PLANS[plan].messages_per_minute or 1),
        "0",
    )
    assert 0 < int(told["X-RateLimit-Reset"]) <= wait
    kind = "seconds_between" if plan == "protected" else "messages_per_minute"
    assert [(row["limit"], row["kind"]) for row in told["violations"]] == [(f"plan: {plan}", kind)]


def test_the_windows_of_a_trial() -> None:
    """A sender within the provider's limit would be refused here, or the other way round."""
    session = LimitEnforcer(PLANS["trial"])

    def wait(now: float) -> float | None:
        over = session.check("wasender", "s", "15550001111", now, "gateway")
        return over and over.wait

    assert [wait(now) for now in (0.0, 0.5, 59.0, 60.0, 61.0)] == [None, 59.5, 1, None, 59]
    assert [wait(60.0 + 60 * number) for number in range(1, 49)] == [None] * 48
    assert wait(60.0 + 60 * 49) == 86_400 - 60 - 60 * 49


def test_faults_are_answered_in_wasenders_words() -> None:
    """Errors could not be tried out."""
    faults = {"errors": [{"code": 503}, {"code": 429}, {"code": 422}]}
    done, sent = in_sandbox(*[command()] * 4, faults=faults)
    assert [each.error_code for each in done] == [503, 429, 422, None]
    assert [each.status for each in done][:3] == [AttemptStatus.RETRYABLE] * 2 + [AttemptStatus.PERMANENT]
    assert len(sent) == 1


def test_an_accepted_message_without_an_answer_is_unknown() -> None:
    """The one gap that no order of writes can close could not be tried out."""
    done, sent = in_sandbox(command(), faults={"timeout_after_accept": {"hold": 0.01}})
    assert [each.status for each in done] == [AttemptStatus.UNKNOWN]
    assert len(sent) == 1
