"""Read the fields of a command in the form that WAHA and Wawp expect."""

from __future__ import annotations

import mimetypes
from pathlib import PurePosixPath
from typing import Final
from urllib.parse import urlsplit

from pipeline.errors import InvalidRecord, UnsupportedCommand
from pipeline.providers.gateway.jids import parse_message_id, to_jid
from pipeline.topics.commands import Command, CommandKind
from pipeline.topics.numbers import phone_digits
from pipeline.topics.types import Json

_MIME: Final = {
    CommandKind.IMAGE: "image/jpeg",
    CommandKind.VIDEO: "video/mp4",
    CommandKind.AUDIO: "audio/ogg; codecs=opus",
}
_NAMELESS: Final = "application/octet-stream"


def chat_id(command: Command) -> str:
    """Return the recipient as a JID. A phone number is a person's."""
    found = to_jid(command.recipient)
    if found is None:
        raise InvalidRecord(f"a {command.kind} command to what is neither a phone number nor a JID")
    return found


def text(command: Command, name: str = "text") -> str:
    """Return a required string."""
    value = command.body.get(name)
    if not isinstance(value, str) or not value:
        raise InvalidRecord(f"a {command.kind} command without {name}")
    return value


def optional(command: Command, **names: str) -> Json:
    """Return the fields that the command has, under the gateway's names."""
    return {field: command.body[name] for field, name in names.items() if command.body.get(name)}


def replying(command: Command) -> Json:
    return {"reply_to": command.reply_to} if command.reply_to else {}


def file(command: Command) -> dict[str, str]:
    """Return `{"url" or "data", "mimetype", "filename"}`. Gateways have no uploads, so no media ids."""
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
    """Return True if a voice message is not in WhatsApp's own format."""
    return not sent["mimetype"].startswith("audio/ogg")


def seen(command: Command) -> Json:
    """Return the id of the message that was read, and in a group its author."""
    message = text(command, "message_id")
    composite = parse_message_id(message)
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
    """Return a card of the Cloud API's shape as full name, organisation and one phone number."""
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
    """Return a list: `{"message": {"title?", "description", "footer?", "button", "sections": […]}}`."""
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
