"""Records the public names of Wappa's handlers, messenger, media, results, models and caches, for `tests/names.py`.

pip download --no-deps wappa==0.31.0; unzip it into WAPPA; python record_names.py WAPPA > names-0.31.0.json
"""

from __future__ import annotations

import ast
import json
import sys
from pathlib import Path
from typing import Final

MODELS: Final = "messaging/whatsapp/models"
FILES: Final = {
    "core/events/event_handler.py": ["WappaEventHandler"],
    "domain/interfaces/messaging_interface.py": ["IMessenger"],
    "domain/interfaces/media_interface.py": ["IMediaHandler"],
    f"{MODELS}/basic_models.py": ["MessageResult"],
    f"{MODELS}/interactive_models.py": ["ReplyButton", "InteractiveHeader", "HeaderType", "ListRow", "ListSection"],
    f"{MODELS}/specialized_models.py": [
        *("ContactCard", "ContactName", "ContactPhone", "ContactEmail"),
        *("ContactAddress", "ContactOrganization", "ContactUrl"),
    ],
    "domain/models/media_result.py": [
        *("MediaUploadResult", "MediaInfoResult", "MediaDownloadResult", "MediaDeleteResult"),
    ],
    "domain/interfaces/cache_factory.py": ["ICacheFactory"],
    "domain/interfaces/cache_interface.py": ["ICache"],
    "domain/interfaces/cache_interfaces.py": [
        *("IUserCache", "IStateCache", "ITableCache", "IAIStateCache", "IExpiryCache"),
        *("TableRowTransition", "TableTransitionResult"),
    ],
    "webhooks/core/webhook_interfaces/universal_webhooks.py": [
        *("IncomingMessageWebhook", "InboundMessageWebhook", "StatusWebhook", "ErrorWebhook", "SystemWebhook"),
        *("CallWebhook", "CustomWebhook"),
    ],
    "webhooks/core/webhook_interfaces/base_components.py": [
        *("TenantBase", "InboxBase", "UserBase", "BusinessContextBase", "ForwardContextBase", "AdReferralBase"),
        *("ConversationBase", "ErrorDetailBase", "SystemEventDetail"),
    ],
    "webhooks/core/base_message.py": ["BaseMessage"],
    **{
        f"webhooks/whatsapp/message_types/{kind}.py": [f"WhatsApp{kind.capitalize()}Message"]
        for kind in (
            *("text", "image", "audio", "video", "document", "sticker", "location", "contact", "interactive"),
            *("button", "reaction", "order", "system", "unsupported"),
        )
    },
    "domain/events/api_message_event.py": ["APIMessageEvent"],
    "persistence/typed_table_cache.py": ["TypedTableCache"],
    "persistence/versioned_table_cache.py": ["VersionedTableCache"],
}

Members = dict[str, list[str] | None]


def members(body: list[ast.stmt]) -> Members:
    found: Members = {}
    for each in body:
        if _validates(each):
            continue
        if isinstance(each, ast.FunctionDef | ast.AsyncFunctionDef):
            found[each.name] = parameters(each)
        elif isinstance(each, ast.AnnAssign) and isinstance(each.target, ast.Name):
            found[each.target.id] = None
        elif isinstance(each, ast.Assign) and isinstance(each.targets[0], ast.Name):
            found[each.targets[0].id] = None
    return {name: value for name, value in found.items() if not name.startswith("_") and name != "model_config"}


def _validates(member: ast.stmt) -> bool:
    """Whether pydantic calls it, and nobody else."""
    decorators = member.decorator_list if isinstance(member, ast.FunctionDef) else []
    called = [each.func.id for each in decorators if isinstance(each, ast.Call) and isinstance(each.func, ast.Name)]
    return any(name in ("field_validator", "model_validator") for name in called) and not _recorded_before(member)


def _recorded_before(member: ast.stmt) -> bool:
    """The models of sends have theirs in the inventory, with the reason why they are not here."""
    return isinstance(member, ast.FunctionDef) and member.name in (
        *("validate_text_header", "validate_media_header", "validate_row_uniqueness"),
        *("validate_at_least_one_phone", "validate_formatted_name_required"),
    )


def parameters(function: ast.FunctionDef | ast.AsyncFunctionDef) -> list[str] | None:
    """Of a method; None for a property."""
    if any(isinstance(each, ast.Name) and each.id == "property" for each in function.decorator_list):
        return None
    given = [each.arg for each in (*function.args.args, *function.args.kwonlyargs)]
    return [name for name in given if name not in ("self", "cls")]


def record(root: Path) -> dict[str, Members]:
    found: dict[str, Members] = {}
    for file, names in FILES.items():
        if not (root / "wappa" / file).exists():  # the generations keep their caches in different files
            continue
        tree = ast.parse((root / "wappa" / file).read_text())
        classes = {each.name: each for each in tree.body if isinstance(each, ast.ClassDef)}
        found |= {name: members(classes[name].body) for name in names if name in classes}
    return found


print(json.dumps(record(Path(sys.argv[1])), indent=1))
