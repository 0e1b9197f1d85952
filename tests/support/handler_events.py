"""Events for tests of handlers, one line each."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from pipeline.settings import Settings
from pipeline.tenants import Tenants, TenantsFile
from pipeline.topics.events import ErrorEvent, MessageEvent, StatusEvent, UnknownEvent, validate

ACCOUNT = "106540352242922"
USER = "15550001111"
NOW = datetime(2026, 1, 15, 10, 30, tzinfo=UTC)


def text(
    body: str = "hi",
    *,
    message_id: str = "wamid.1",
    from_: str = USER,
    tenant: str = "acme",
    **message: Any,
) -> MessageEvent:
    """A user's text."""
    content = {
        "id": message_id,
        "from": from_,
        "timestamp": 1768473000,
        "type": "text",
        "text": {"body": body},
        **message,
    }
    event = _event("message", "message.text", message_id, from_, tenant, user={"phone_number": from_}, message=content)
    assert isinstance(event, MessageEvent)
    return event


def status(value: str = "read", *, tenant: str = "acme") -> StatusEvent:
    event = _event(
        "status",
        f"status.{value}",
        f"wamid.1:{value}",
        USER,
        tenant,
        message_id="wamid.1",
        status=value,
        recipient_phone_id=USER,
    )
    assert isinstance(event, StatusEvent)
    return event


def error(*codes: int, tenant: str = "acme") -> ErrorEvent:
    errors = [{"code": code, "title": f"error {code}"} for code in codes]
    event = _event("error", "error", "e", None, tenant, errors=errors)
    assert isinstance(event, ErrorEvent)
    return event


def unknown(event_type: str = "message.image", *, tenant: str = "acme") -> UnknownEvent:
    event = _event("unknown", event_type, event_type, USER, tenant, part={"id": "wamid.2"})
    assert isinstance(event, UnknownEvent)
    return event


def tenants(**handlers: str | None) -> Tenants:
    """Tenants by id, each with its handler's path."""
    named = handlers or {"acme": None}
    return Tenants(
        TenantsFile.model_validate({"tenants": [{"id": name, "handler": path} for name, path in named.items()]})
    )


def settings(handler: str = "pipeline.agents.handlers.echo.EchoHandler", timeout: float = 5.0) -> Settings:
    return Settings(handler=handler, handler_timeout=timeout, cache="memory")


def _event(kind: str, event_type: str, name: str, contact: str | None, tenant: str, **fields: Any) -> object:
    return validate(
        {
            "kind": kind,
            "event_type": event_type,
            "event_id": f"cloud:{ACCOUNT}:{name}",
            "tenant_id": tenant,
            "provider": "cloud",
            "account": ACCOUNT,
            "conversation": f"cloud:{ACCOUNT}:{contact}",
            "contact": contact,
            "timestamp": NOW,
            "received_at": NOW,
            "traceparent": "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01",
            **fields,
        }
    )
