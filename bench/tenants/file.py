"""A tenants file like that of a platform: tenants with numbers and sessions, each with secrets of its own."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Final

ACCOUNTS_OF_A_TENANT: Final = 5
APP_SECRET: Final = "0123456789abcdef0123456789abcdef"


def write(path: Path, tenants: int, accounts: int) -> None:
    """Write a file of so many tenants, who have `accounts` in all, as evenly as it goes."""
    with path.open("w", encoding="utf-8") as file:
        file.write(
            f"cloud_apps:\n  - id: app\n    app_secrets: [{APP_SECRET}]\n    verify_token: verify-{APP_SECRET}\n"
        )
        file.write("tenants:\n")
        for number in range(tenants):
            file.writelines(_tenant(number, range(number, accounts, tenants)))


def tenant_id(number: int) -> str:
    return f"tenant-{number:05}"


def api_key(number: int) -> str:
    return f"key-{number:05}-{APP_SECRET}"


def phone_number_id(number: int) -> str:
    return f"{106_540_352_000_000 + number}"


def business_id(tenant: int) -> str:
    return f"{102_290_129_000_000 + tenant}"


def session(number: int) -> str:
    return f"session-{number:06}"


def webhook_secret(number: int) -> str:
    return f"secret-{number:06}-{APP_SECRET}"


def _tenant(number: int, accounts: range) -> Iterator[str]:
    yield f"  - id: {tenant_id(number)}\n    lane: default\n    api_keys: [{api_key(number)}]\n    accounts:\n"
    for place, account in enumerate(accounts):
        yield _gateway(account) if place % 2 else _cloud(account, number)


def _cloud(number: int, tenant: int) -> str:
    return (
        f'      - provider: cloud\n        id: "{phone_number_id(number)}"\n'
        f'        business_id: "{business_id(tenant)}"\n'
        f"        token: EAAG{number:012}{'x' * 180}\n        limits: {{ messages_per_second: 80 }}\n"
    )


def _gateway(number: int) -> str:
    provider = ("wasender", "wawp", "waha")[number % 3]
    return (
        f"      - provider: {provider}\n        id: {session(number)}\n"
        f"        webhook_secrets: [{webhook_secret(number)}]\n        token: token-{number:06}-{APP_SECRET}\n"
        "        base_url: https://gateway.example.com\n"
    )
