"""The Wappa port table, `docs/wappa-compatibility.md`: every public name in both generations, and if it is here.

    python -m tests.support.names > docs/wappa-compatibility.md

The names and parameters were read out of the classes of Wappa 0.1.10 and 0.31.0 by `tests/data/wire/record_names.py`:
class → member → parameters, or null for what is no method. The caches take the calls of both generations, so what
they take is shown by calling them (`tests.support.cache_calls`).
"""

from __future__ import annotations

import inspect
import textwrap
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final, NamedTuple

import orjson

from pipeline.handlers import IMediaHandler, IMessenger, MessageResult, WappaEventHandler
from pipeline.handlers.media import results
from pipeline.handlers.outbound import contacts, models
from pipeline.state import (
    ICache,
    ICacheFactory,
    TableRowTransition,
    TableTransitionResult,
    TypedTableCache,
    VersionedTableCache,
)
from pipeline.topics.events import APIMessageEvent, TextMessage
from pipeline.wappa.webhooks.core import webhook_interfaces as webhooks
from pipeline.wappa.webhooks.whatsapp import message_types
from tests.support import cache_calls

DATA: Final = Path(__file__).parents[1] / "data" / "wire"
GENERATIONS: Final = ("0.1.10", "0.31.0")
OURS: Final[dict[str, type]] = {
    "WappaEventHandler": WappaEventHandler,
    "IMessenger": IMessenger,
    "IMediaHandler": IMediaHandler,
    "MessageResult": MessageResult,
    **{name: getattr(models, name) for name in ("ReplyButton", "InteractiveHeader", "HeaderType")},
    **{name: getattr(models, name) for name in ("ListRow", "ListSection")},
    **{name: value for name, value in vars(contacts).items() if name.startswith("Contact") and name != "Contact"},
    **{name: value for name, value in vars(results).items() if name.startswith("Media")},
    "ICacheFactory": ICacheFactory,
    "ICache": ICache,
    **cache_calls.CACHES,
    **{each.__name__: each for each in (TableRowTransition, TableTransitionResult)},
    **{each.__name__: each for each in (TypedTableCache, VersionedTableCache)},
    **{name: getattr(webhooks, name) for name in webhooks.__all__ if isinstance(getattr(webhooks, name), type)},
    "APIMessageEvent": APIMessageEvent,
    "BaseMessage": TextMessage,
    **{name: getattr(message_types, name) for name in message_types.__all__},
}

_VALIDATOR: Final = "a validator of the model; the send checks it, and says so in its result"
_NO_ANSWER: Final = "builds a result from the provider's answer; here that answer is an outcome on `commands.outcomes`"
_ENTRY: Final = "the runtime calls `handle(event)` for every kind of event: override the hook instead"
_HOOKED: Final = "put it into the hook, which is one unit of work"
_TIMERS: Final = "there are no timers and no events of your own: [from-wappa.md](from-wappa.md)"
REASONS: Final = {
    **dict.fromkeys(
        [f"WappaEventHandler.handle_{kind}" for kind in ("message", "status", "error", "system", "call")], _ENTRY
    ),
    **dict.fromkeys([f"WappaEventHandler.{each}_api_post_process_hook" for each in ("add", "remove")], _HOOKED),
    **dict.fromkeys(
        [f"WappaEventHandler.{each}_event" for each in ("handle_external", "process_external", "handle_cron")], _TIMERS
    ),
    "WappaEventHandler.process_cron_event": _TIMERS,
    "WappaEventHandler.require_database": "a worker has no database: open yours in the handler",
    "MessageResult.from_api_response": _NO_ANSWER,
    "MessageResult.from_response_payload": _NO_ANSWER,
    **dict.fromkeys(
        (
            *("IncomingMessageWebhook.set_raw_webhook_data", "InboundMessageWebhook.set_raw_webhook_data"),
            *("StatusWebhook.set_raw_webhook_data", "ErrorWebhook.set_raw_webhook_data"),
            *("SystemWebhook.set_raw_webhook_data", "CallWebhook.set_raw_webhook_data"),
            "CustomWebhook.set_raw_webhook_data",
        ),
        "an event can't be changed, and comes with its raw part",
    ),
    "CustomWebhook.parsed": "no parser is registered for a field: the event's `data` or `part` has what came",
    "BaseMessage.processed_at": "the same webhook gives the same event each time; `received_at` says when it came",
    "WhatsAppUnsupportedMessage.is_duplicate_phone_usage": "always False in Wappa, too: Meta has no such error",
    "InteractiveHeader.validate_text_header": _VALIDATOR,
    "InteractiveHeader.validate_media_header": _VALIDATOR,
    "ListSection.validate_row_uniqueness": _VALIDATOR,
    "ContactCard.validate_at_least_one_phone": _VALIDATOR,
    "ContactName.validate_formatted_name_required": _VALIDATOR,
    "MediaDownloadResult.mark_as_temp_file": "`download_media(…, use_tempfile=True, auto_cleanup=…)` says it",
}
"""Why a name is not here."""

NOTES: Final = {
    "WappaEventHandler.process_api_message": "in one unit of work with the send ([send-api.md](send-api.md))",
    "APIMessageEvent.response_success": "queued; what the provider said comes with the statuses",
    "APIMessageEvent.response_error": "always None: what can't be sent is answered 422 and is no event",
    "APIMessageEvent.meta_response": "always None: the provider has not been asked yet",
    "APIMessageEvent.message_id": "the command's id (`StatusEvent.command_id`), as the caller was answered",
    "IMessenger.tenant_id": "the tenant's id in the tenants file, not the phone_number_id: that is `inbox_id`",
    "IMessenger.send_document": "the caption goes out; Wappa loses it",
    "IMessenger.send_location": "numbers on the wire, as Meta's reference has them; Wappa sends strings",
    "IMessenger.mark_as_read": "`typing` shows the indicator; Wappa leaves it out",
    **dict.fromkeys(
        [f"IMessenger.send_{kind}_template" for kind in ("text", "media", "location")],
        "`template_type` may be left out, as in 0.1.10; so may [a known language](messaging.md#templates)",
    ),
    "IMediaHandler.stream_media": "the one method that raises (`Unsendable`): a stream has no result",
    "MessageResult.message_id": "the command's id until the provider gave its own (`StatusEvent.command_id`)",
    "MessageResult.tenant_id": "the tenant's id in the tenants file; the account is `inbox_id`",
    "MessageResult.recipient_username": "always None: nobody knows it before the provider has answered",
    "ICacheFactory.create_expiry_cache": "with every backend; Wappa's needs Redis",
    "ICacheFactory.create_table_cache": "`context_id` may name the event's own account or tenant, never another's",
    "ICache.set": "replaces the row with every backend; Wappa's Redis merges",
    "ICache.delete": "False for what is not there; Wappa's memory says True",
    "ICache.get_ttl": "per key with every backend; Wappa's JSON files have one for all states of a user",
    "IUserCache.upsert": "replaces the row with every backend; Wappa's Redis merges, and expires it after a day",
    "IUserCache.delete": "0 for what is not there; Wappa's memory says 1",
    "ITableCache.create_if_absent": "within an event it is decided when the event is committed: `docs/caches.md`",
    "ITableCache.replace_if": "within an event it is decided when the event is committed: `docs/caches.md`",
    "IExpiryCache.set": "a deadline that can be looked at; nothing is called when it is over",
    "MessageResult.api_response": "always None: the provider has not been asked yet",
}

_GENERATIONS_OF_A_NAME: Final = (
    ("In both versions, and the same here", (True, True)),
    ("In 0.1.10, and the same here", (True, False)),
    ("In 0.31.0, and the same here", (False, True)),
)

Inventory = dict[str, dict[str, list[str] | None]]


class Row(NamedTuple):
    """One name: in which generations it is, and what is to be said of it."""

    owner: str
    name: str
    generations: tuple[bool, ...]
    here: bool
    remark: str


def inventories() -> list[Inventory]:
    return [orjson.loads((DATA / f"names-{generation}.json").read_bytes()) for generation in GENERATIONS]


def has(owner: str, name: str, parameters: list[str] | None) -> bool:
    """Whether our class has the member, and takes its parameters in their order."""
    ours = OURS[owner]
    if parameters is None:
        return name in _fields(ours) or hasattr(ours, name)
    if owner in cache_calls.CACHES:
        return hasattr(ours, name) and cache_calls.takes(owner, name, parameters)
    method = getattr(ours, name, None)
    taken = [each for each in inspect.signature(method).parameters if each != "self"] if method else []
    return callable(method) and [each for each in taken if each in parameters] == parameters


def _fields(ours: type) -> set[str]:
    return {*getattr(ours, "model_fields", ()), *getattr(ours, "__dataclass_fields__", ())}


def rows() -> Iterator[Row]:
    known = inventories()
    for owner in OURS:
        names = dict.fromkeys(name for each in known for name in each.get(owner, {}))
        for name in names:
            yield _row(owner, name, known)


def _row(owner: str, name: str, known: list[Inventory]) -> Row:
    where = tuple(name in each.get(owner, {}) for each in known)
    wanted = [each[owner][name] for each, there in zip(known, where, strict=True) if there]
    key = f"{owner}.{name}"
    here = all(has(owner, name, each) for each in wanted)
    return Row(owner, name, where, here, REASONS.get(key) or NOTES.get(key, ""))


def added() -> list[str]:
    """The sends that Wappa does not have."""
    known = {name for each in inventories() for name in each["IMessenger"]}
    return [name for name in dir(IMessenger) if not name.startswith("_") and name not in known]


def table() -> str:
    """The page."""
    return _HEAD + "".join(_section(owner) for owner in OURS) + _tail()


def _section(owner: str) -> str:
    mine = [row for row in rows() if row.owner == owner]
    same = "".join(_listed(title, generations, mine) for title, generations in _GENERATIONS_OF_A_NAME)
    other = "".join(map(_line, filter(_differs, mine)))
    table = f"\n| name | here | difference |\n| --- | --- | --- |\n{other}" if other else ""
    return f"\n## {owner}\n{same}{table}" if mine else ""


def _differs(row: Row) -> bool:
    return bool(row.remark) or not row.here


def _listed(title: str, generations: tuple[bool, ...], mine: list[Row]) -> str:
    names = [f"`{row.name}`" for row in mine if row.generations == generations and not _differs(row)]
    return "\n" + textwrap.fill(f"{title}: {', '.join(names)}.", 118, break_on_hyphens=False) + "\n" if names else ""


def _line(row: Row) -> str:
    return f"| `{row.name}` | {'✔' if row.here else ''} | {row.remark} |\n"


def _tail() -> str:
    lines = "".join(f"| `{name}` | {_first_line(getattr(IMessenger, name))} |\n" for name in added())
    return f"\n## Beyond Wappa\n\n| name | |\n| --- | --- |\n{lines}"


def _first_line(member: Any) -> str:
    return (inspect.getdoc(member) or "").split("\n")[0]


_HEAD: Final = """# Wappa port table

This page lists every public name of Wappa, in two versions: that of its published documents (0.1.10) and 0.31.0.
It covers handlers, messenger, media handler, results, models, caches, webhooks and messages.
You can use a listed name with the same parameters in the same order.
A table names what differs. A name without a ✔ is missing, and its reason is beside it.
The page is generated by `python -m tests.support.names`, and a test compares the two.

One cache takes the calls of both versions ([caches](caches.md)).
These methods of Wappa's Redis caches work with every backend here: `find_by_field`, `delete_field`, `merge`,
`delete_all_by_pkid`.

You can pass a dict wherever Wappa takes a model, and a model wherever it takes a dict.
Every send also takes `priority`, `expires_in`, `campaign` and `tags`. A marketing template is `bulk` by default.
"""

if __name__ == "__main__":
    print(table(), end="")
