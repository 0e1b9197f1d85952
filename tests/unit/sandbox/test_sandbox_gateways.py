"""The sandbox's gateways post what the ingress takes: authentic, in their own form, and typed."""

from __future__ import annotations

import asyncio
from typing import Any
from urllib.parse import parse_qsl, urlsplit

import pytest

from pipeline.providers import PROVIDERS
from pipeline.providers.base import WebhookRequest
from pipeline.sandbox.config import SAMPLE_ACCOUNTS, SandboxConfig
from pipeline.sandbox.core import Sandbox
from pipeline.sandbox.errors import NotSupported, SandboxError
from pipeline.sandbox.provider import SandboxProvider, UserMessage
from pipeline.sandbox.status_queue import FIXED_RETRIES, Update
from pipeline.sandbox.statuses import StatusStep
from pipeline.sandbox.waha import WahaApi
from pipeline.sandbox.wawp import WawpApi
from pipeline.sandbox.webhooks import SignedWebhook
from pipeline.tenants import load_tenants
from pipeline.testing import TestRecord
from pipeline.topics.events import MessageEvent, StatusEvent, decode
from tests.support.stacks import ROOT

TENANTS = load_tenants(ROOT / "examples" / "tenants.yaml", {"PIPELINE_SANDBOX_URL": "http://127.0.0.1:8090"})
BOTH = pytest.mark.parametrize("api", [WawpApi, WahaApi])


def provider_of(api: type[WawpApi | WahaApi]) -> tuple[Sandbox, SandboxProvider]:
    sandbox = Sandbox(SandboxConfig(statuses=()))
    sandbox.add(api)
    return sandbox, sandbox.provider(api.name)


def taken(name: str, webhook: SignedWebhook) -> Any:
    """The event that the pipeline makes of a webhook which its ingress lets in."""
    parts = urlsplit(webhook.path)
    tenant = parts.path.removeprefix(f"/webhooks/{name}/")
    headers = {header.lower(): value for header, value in webhook.headers.items()}
    request = WebhookRequest(webhook.body, headers, dict(parse_qsl(parts.query)), tenant, "127.0.0.1")
    assert PROVIDERS[name].authenticate(request, TENANTS)
    (part,) = PROVIDERS[name].split(request, TENANTS)
    assert TENANTS.owner(name, part.account) is TENANTS.get("initech")
    (wire,) = PROVIDERS[name].parse(TestRecord(part.body))
    return decode(TestRecord(wire.encode("acme")))


@BOTH
def test_a_users_message_is_taken(api: type[WawpApi | WahaApi]) -> None:
    """Nobody could try out a handler with this provider."""
    sandbox, provider = provider_of(api)
    account = sandbox.account(api.name, None)
    message = UserMessage.model_validate({"from": "15550001111", "text": "hi", "name": "Ana"})
    (message_id,), webhook = provider.message_webhook(account, message)
    event = taken(api.name, webhook)
    assert isinstance(event, MessageEvent)
    assert (event.get_message_text(), event.message.id, event.user.profile_name) == ("hi", message_id, "Ana")


ORIGINAL = "false_15550001111@c.us_A"
FILE = {"url": "https://files.example/a", "mime_type": "image/jpeg", "filename": "a.jpg", "caption": "look"}
CONTENTS: dict[str, Any] = {
    "image": FILE,
    "video": FILE | {"mime_type": "video/mp4"},
    "document": FILE | {"mime_type": "application/pdf"},
    "audio": {"url": "https://files.example/a", "mime_type": "audio/ogg; codecs=opus", "voice": True},
    "sticker": {"url": "https://files.example/a", "mime_type": "image/webp"},
    "location": {"latitude": 38.9, "longitude": -77.1, "name": "HQ", "address": "123 Main St"},
    "contacts": [{"name": {"formatted_name": "Jane"}, "phones": [{"phone": "+91 111", "wa_id": "91111"}]}],
    "interactive": {"type": "list_reply", "list_reply": {"id": "1", "title": "One"}},
    "reaction": {"message_id": ORIGINAL, "emoji": "👍"},
    "edit": {"original_message_id": ORIGINAL, "message": {"type": "text", "text": {"body": "better"}}},
    "revoke": {"original_message_id": ORIGINAL},
    "poll": {"name": "When?", "options": ["Now", "Later"], "selectable_count": 1},
    "poll_vote": {"poll_message_id": ORIGINAL, "selected_options": ["Now"]},
}


@BOTH
@pytest.mark.parametrize("kind", CONTENTS)
def test_every_type_of_message_goes_there_and_back(api: type[WawpApi | WahaApi], kind: str) -> None:
    """What a user sends through the sandbox would reach the handler as something else."""
    sandbox, provider = provider_of(api)
    sent = {"from": "15550001111", "type": kind, "content": CONTENTS[kind]}
    _, webhook = provider.message_webhook(sandbox.account(api.name, None), UserMessage.model_validate(sent))
    event = taken(api.name, webhook)
    assert isinstance(event, MessageEvent)
    assert event.user.user_id == "15550001111"
    held = event.message.model_dump(mode="json", exclude_unset=True)[kind]
    given, found = ([each] if isinstance(each, dict) else each for each in (CONTENTS[kind], held))
    assert [{name: each[name] for name in wanted} for wanted, each in zip(given, found, strict=True)] == given


@BOTH
@pytest.mark.parametrize(
    "message", [{"type": "order", "content": {}}, {"type": "location", "content": {}}, {"type": "edit", "content": {}}]
)
def test_what_the_engines_do_not_have(api: type[WawpApi | WahaApi], message: dict[str, Any]) -> None:
    """A slip in a request to the sandbox would be an error of the sandbox."""
    sandbox, provider = provider_of(api)
    sent = UserMessage.model_validate({"from": "15550001111"} | message)
    with pytest.raises(NotSupported):
        provider.message_webhook(sandbox.account(api.name, None), sent)


@BOTH
@pytest.mark.parametrize("status", ["failed", "pending", "sent", "delivered", "read", "played"])
def test_statuses_are_taken(api: type[WawpApi | WahaApi], status: str) -> None:
    """Statuses of the sandbox would mean something else than the provider's."""
    sandbox, provider = provider_of(api)
    account = sandbox.account(api.name, None)
    steps = (StatusStep(status=status, after=0),)
    webhook = provider.status_webhook([Update(account, "true_1555@c.us_A", {"chat": "1555@c.us"}, steps, 0.0)])
    event = taken(api.name, webhook)
    assert isinstance(event, StatusEvent)
    assert (event.status, event.message_id, event.recipient_id) == (status, "true_1555@c.us_A", "1555")


@BOTH
def test_what_there_is_not(api: type[WawpApi | WahaApi]) -> None:
    """Part of a batch would silently be missing."""
    sandbox, provider = provider_of(api)
    account = sandbox.account(api.name, None)
    with pytest.raises(SandboxError, match="one text"):
        provider.message_webhook(account, UserMessage.model_validate({"from": "15550001111", "text": ["a", "b"]}))
    with pytest.raises(NotSupported, match="no handshake"):
        asyncio.run(provider.verify(account, sandbox.ingress))


def test_the_sample_accounts_are_those_of_the_sample_tenants() -> None:
    """`pipeline up` would begin with a provider that answers 401."""
    for known in SAMPLE_ACCOUNTS:
        if known.provider not in PROVIDERS or known.provider == "cloud":
            continue
        account = TENANTS.account(known.provider, known.id)
        assert account is not None
        assert account.token.get_secret_value() == known.token
        assert [secret.get_secret_value() for secret in account.webhook_secrets] == [known.webhook_secret]
        owner = TENANTS.owner(known.provider, known.id)
        assert owner is not None
        assert owner.id == known.tenant


def test_wawp_gives_up_after_five_more_tries() -> None:
    """An outage would look harmless that loses events at the real provider."""
    assert FIXED_RETRIES["wawp"] == (5, 5.0)
