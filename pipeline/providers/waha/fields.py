"""What a command's body holds, as WAHA and everybody who runs its engines takes it."""

from __future__ import annotations

import mimetypes
from pathlib import PurePosixPath
from typing import Any, Final
from urllib.parse import urlsplit

from pipeline.errors import InvalidRecord, UnsupportedCommand
from pipeline.providers.waha.jids import addressed, taken_apart
from pipeline.topics.commands import Command, CommandKind
from pipeline.topics.numbers import phone_digits

Json = dict[str, Any]

_MIME: Final = {
    CommandKind.IMAGE: "image/jpeg",
    CommandKind.VIDEO: "video/mp4",
    CommandKind.AUDIO: "audio/ogg; codecs=opus",
}
_NAMELESS: Final = "application/octet-stream"


def chat_id(command: Command) -> str:
    """The recipient as a JID; a phone number is a person's."""
    found = addressed(command.recipient)
    if found is None:
        raise InvalidRecord(f"a {command.kind} command to what is neither a phone number nor a JID")
    return found


def text(command: Command, name: str = "text") -> str:
    """A string that the command must have."""
    value = command.body.get(name)
    if not isinstance(value, str) or not value:
        raise InvalidRecord(f"a {command.kind} command without {name}")
    return value


def optional(command: Command, **names: str) -> Json:
    """Fields of the command, by the names that they have there, as far as they are given."""
    return {field: command.body[name] for field, name in names.items() if command.body.get(name)}


def replying(command: Command) -> Json:
    return {"reply_to": command.reply_to} if command.reply_to else {}


def file(command: Command) -> dict[str, str]:
    """`{"url" or "data", "mimetype", "filename"}`: there are no uploads, so no ids of files."""
    media = command.body.get("media")
    if not isinstance(media, dict):
        raise InvalidRecord(f"a {command.kind} command without media")
    if command.body.get("view_once"):
        raise UnsupportedCommand(f"{command.provider} can't send media to be seen once: leave view_once out")
    source = {"url": media["link"]} if media.get("link") else {"data": media["data"]} if media.get("data") else None
    if source is None:
        raise UnsupportedCommand(f"{command.provider} has no media ids: give a link or the data")
    name = media.get("filename") or PurePosixPath(urlsplit(media.get("link") or "").path).name
    mime = media.get("mime_type") or mimetypes.guess_type(name)[0] or _MIME.get(command.kind, _NAMELESS)
    return source | {"mimetype": mime, "filename": name or command.kind.value + (mimetypes.guess_extension(mime) or "")}


def needs_conversion(sent: dict[str, str]) -> bool:
    """Whether a voice message is not in WhatsApp's own format yet."""
    return not sent["mimetype"].startswith("audio/ogg")


def seen(command: Command) -> Json:
    """Which message was read, and in a group, whose it is."""
    message = text(command, "message_id")
    composite = taken_apart(message)
    writer = composite.participant if composite else None
    return {"messageIds": [message]} | ({"participant": writer} if writer else {})


def reaction(command: Command) -> Json:
    return {"messageId": text(command, "message_id"), "reaction": command.body.get("emoji") or ""}


def poll(command: Command) -> Json:
    options = command.body.get("options")
    if not isinstance(options, list) or len(options) < 2:
        raise InvalidRecord("a poll command with fewer than two options")
    name = text(command, "question")
    return {"poll": {"name": name, "options": options, "multipleAnswers": command.body.get("multiple") is True}}


def contacts(command: Command) -> Json:
    given = command.body.get("contacts")
    if not isinstance(given, list) or not given or not all(isinstance(each, dict) for each in given):
        raise InvalidRecord("a contacts command without contacts")
    return {"contacts": [_card(each) for each in given]}


def _card(contact: Json) -> Json:
    """A contact of the Cloud API's shape: full name, organisation and one phone number."""
    name, phones, org = contact.get("name") or {}, contact.get("phones") or [{}], contact.get("org") or {}
    phone = str(phones[0].get("phone", ""))
    made = {
        "fullName": name.get("formatted_name"),
        "organization": org.get("company"),
        "phoneNumber": phone,
        "whatsappId": phones[0].get("wa_id") or phone_digits(phone) or phone,
    }
    return {field: value for field, value in made.items() if value}


def coordinates(command: Command) -> tuple[float, float]:
    latitude, longitude = command.body.get("latitude"), command.body.get("longitude")
    if not isinstance(latitude, (int, float)) or not isinstance(longitude, (int, float)):
        raise InvalidRecord("a location command without latitude and longitude")
    return float(latitude), float(longitude)


def menu(command: Command) -> Json:
    """A list: `{"message": {"title?", "description", "footer?", "button", "sections": […]}}`."""
    sections = command.body.get("sections")
    if not isinstance(sections, list) or not sections:
        raise InvalidRecord("a list command without sections")
    header = command.body.get("header") or {}
    if header.get("type", "text") != "text":
        raise UnsupportedCommand(f"{command.provider} can't put media above a list: use a text header")
    title = {"title": header["text"]} if header else {}
    held = (
        title | {"description": text(command), "button": text(command, "button")} | optional(command, footer="footer")
    )
    return {"message": held | {"sections": [_section(each) for each in sections]}}


def _section(section: Json) -> Json:
    title = {"title": section["title"]} if section.get("title") else {}
    return title | {"rows": [{"rowId": row["id"]} | _without(row, "id") for row in section.get("rows", ())]}


def _without(row: Json, name: str) -> Json:
    return {field: value for field, value in row.items() if field != name}
