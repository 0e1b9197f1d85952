"""The names of Wappa that the pipeline does not have, each with the reason and the replacement."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Final

_HTTP: Final = "the ingress serves webhooks only: run your own HTTP service beside the pipeline"
_WORKER: Final = "handlers run in workers, not in a web application: subclass EventHandler and keep state in its caches"
_OWN: Final = "events of your own are records on a topic: write an agent (docs/write-an-agent.md)"
_IDENTITY: Final = "people are known by their business-scoped id first, then by phone: use event.user.user_id"
_ACCOUNTS: Final = "there is no directory to ask: accounts are in the tenants file (examples/tenants.yaml)"
_TIMERS: Final = "there are no timers yet: use your scheduler, and let it publish commands or send a webhook"
_REDIS: Final = "workers share what they need through Kafka: read the topics with a consumer of your own"

REASONS: Final[Mapping[str, str]] = {
    **dict.fromkeys(
        (
            "AuthPlugin",
            "AuthResult",
            "AuthStrategy",
            "BasicAuthStrategy",
            "BearerTokenStrategy",
            "CORSPlugin",
            "CustomMiddlewarePlugin",
            "JWTStrategy",
            "RateLimitPlugin",
            "RateLimitProfile",
            "SSEEventsPlugin",
            "add_middleware",
            "add_router",
            "asgi",
            "create_app",
            "rate_limit",
            "set_app",
        ),
        _HTTP,
    ),
    **dict.fromkeys(
        (
            "PostgresDatabasePlugin",
            "WappaBuilder",
            "WappaContext",
            "WappaCorePlugin",
            "WappaPlugin",
            "add_shutdown_hook",
            "add_startup_hook",
            "configure",
        ),
        _WORKER,
    ),
    **dict.fromkeys(
        (
            "DispatchReport",
            "ExternalEvent",
            "ExternalEventRegistry",
            "HMACSignatureVerifier",
            "IExternalWebhookContextResolver",
            "IWebhookProcessor",
            "ResolvedExternalWebhookContext",
            "WebhookPlugin",
            "register_webhook_field",
        ),
        _OWN,
    ),
    **dict.fromkeys(("IIdentityResolver", "PassthroughIdentityResolver", "set_identity_resolver"), _IDENTITY),
    **dict.fromkeys(
        (
            "IInboxDirectorySource",
            "InboxCredentialService",
            "InboxRef",
            "InboxRoutingMode",
            "MetaApplicationConfig",
            "PlatformAccountRef",
            "set_inbox_credential_store",
            "set_inbox_directory_source",
        ),
        _ACCOUNTS,
    ),
    **dict.fromkeys(("CronEvent", "CronPlugin", "ExpiryPlugin", "expiry_registry"), _TIMERS),
    **dict.fromkeys(("RedisPubSubPlugin",), _REDIS),
}


def reason(name: str) -> str:
    """One line for whoever asks for `name`."""
    return f"{name} is not offered: {REASONS[name]}"


def refusing(module: str) -> Callable[[str], Any]:
    """A module's `__getattr__`: says why a name of Wappa's is not there (`ImportError`)."""

    def missing(name: str) -> Any:
        if name in REASONS:
            raise ImportError(reason(name))
        raise AttributeError(f"module {module!r} has no attribute {name!r}")

    return missing
