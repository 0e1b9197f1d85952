"""Webhooks as a provider sends them, made by the sandbox, and the events that the intake makes of them."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from functools import cache
from typing import Any, Final

import orjson

from pipeline.agents.parse import parse
from pipeline.agents.route import route
from pipeline.errors import UsageError
from pipeline.ingress.records import IngressMetadata, RecordBuilder, webhook_id
from pipeline.ingress.traceparent import traceparent
from pipeline.providers import PROVIDERS
from pipeline.providers.base import WebhookRequest
from pipeline.sandbox.cloud import GraphApi
from pipeline.sandbox.config import SAMPLE_ACCOUNTS, SandboxAccount, SandboxConfig
from pipeline.sandbox.core import Sandbox
from pipeline.sandbox.provider import SandboxProvider
from pipeline.sandbox.waha import WahaApi
from pipeline.sandbox.wasender import WasenderApi
from pipeline.sandbox.wawp import WawpApi
from pipeline.sandbox.webhooks import SignedWebhook
from pipeline.tenants import Tenants, TenantsFile
from pipeline.testing.driver import TopologyTestDriver
from pipeline.testing.records import TestRecord
from pipeline.topics.events import AnyEvent, decode

CLOUD_TENANT: Final = "acme"
_PROVIDERS: Final[Mapping[str, Callable[[Sandbox], SandboxProvider]]] = {
    "cloud": GraphApi,
    "wasender": WasenderApi,
    "wawp": WawpApi,
    "waha": WahaApi,
}


def account_of(provider: str) -> SandboxAccount:
    """Return the account of `examples/tenants.yaml` at a provider. Raises `UsageError` for an unknown provider."""
    for account in SAMPLE_ACCOUNTS:
        if account.provider == provider:
            return account
    raise UsageError(f"there is no provider {provider!r}: use one of {', '.join(_PROVIDERS)}")


@cache
def sandbox_provider(provider: str) -> SandboxProvider:
    """Return the sandbox's implementation of a provider."""
    return _PROVIDERS[account_of(provider).provider](Sandbox(SandboxConfig()))


@cache
def sample_tenants() -> Tenants:
    """Return the tenants of `examples/tenants.yaml`, without their handlers."""
    return Tenants(TenantsFile.model_validate(tenants_file()))


def tenants_file(lane: str = "default", base_url: str | None = None) -> dict[str, Any]:
    """Return the content of a tenants file with all of them on one lane and their providers at `base_url`."""
    owners: dict[str, list[dict[str, Any]]] = {}
    for each in SAMPLE_ACCOUNTS:
        owners.setdefault(each.tenant or CLOUD_TENANT, []).append(
            {
                "provider": each.provider,
                "id": each.id,
                "business_id": each.business_id,
                "token": each.token,
                "webhook_secrets": [each.webhook_secret],
                "base_url": base_url,
            }
        )
    return {"tenants": [{"id": name, "lane": lane, "accounts": accounts} for name, accounts in owners.items()]}


def intake(provider: str, webhook: SignedWebhook) -> list[AnyEvent]:
    """Return the events of a webhook, made as in production: ingress, parse, route.

    Raises `UsageError`, with the reason, where it becomes a dead letter.
    """
    tenants, owner = sample_tenants(), account_of(provider).tenant
    headers = {name.lower(): value for name, value in webhook.headers.items()}
    slices = PROVIDERS[provider].split(WebhookRequest(webhook.body, headers, {}, owner), tenants)
    at_ms = time.time_ns() // 1_000_000
    metadata = IngressMetadata(provider, owner, webhook_id(webhook.body), at_ms, traceparent(None))
    driver = TopologyTestDriver(parse(PROVIDERS), route(tenants))
    for record in RecordBuilder(tenants).build(slices, metadata):
        driver.pipe(TestRecord.of(record))
    if driver.dead_letters:
        raise UsageError(f"the webhook is a dead letter: {dict(driver.dead_letters[0].headers)}")
    return [decode(TestRecord.of(out)) for out in driver.published if out.topic.startswith("events.")]


def cloud_webhook(value: Mapping[str, Any], field: str = "messages") -> SignedWebhook:
    """Return a webhook of the Cloud API with `value` as its one change."""
    change = {"field": field, "value": dict(value)}
    content = {
        "object": "whatsapp_business_account",
        "entry": [{"id": account_of("cloud").business_id, "changes": [change]}],
    }
    return SignedWebhook("/webhooks/cloud", {"Content-Type": "application/json"}, orjson.dumps(content))


def metadata() -> dict[str, Any]:
    """Return the metadata of a change of the Cloud API: the number that it came by."""
    account = account_of("cloud")
    named = {"display_phone_number": account.display_phone_number, "phone_number_id": account.id}
    return {"messaging_product": "whatsapp", "metadata": named}
