"""What a message looks like: one form for the page, made of the forms of all providers.

A bubble has some of the fields `header`, `text`, `footer`, `note` (strings), `media`, `buttons`, `menu` and `link`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final
from urllib.parse import urlencode

from pipeline.sandbox.types import JsonObject

_MEDIA: Final = ("image", "video", "audio", "document", "sticker")


def bubble(provider: str, account: str, kind: str, content: Any) -> JsonObject:
    """Return the bubble of a message in its provider's form. One that can't be shown says only what it is."""
    try:
        made = _FORMS[provider](kind, content)
    except (KeyError, TypeError, AttributeError, IndexError):
        made = None
    shown = made or {"note": f"[{kind}]"}
    media = shown.get("media")
    if media and media.get("id"):
        query = urlencode({"provider": provider, "account": account, "id": media["id"]})
        media["source"] = f"/_sandbox/file?{query}"
    return {name: value for name, value in shown.items() if value}


def users_bubble(kind: str, content: Any) -> JsonObject:
    """Return the bubble of a user's message, which has the Cloud API's form for every provider."""
    if kind == "interactive" and content.get("type") in content:
        return {"text": content[content["type"]].get("title") or f"[{content['type']}]"}
    if kind == "button":
        return {"text": content.get("text")}
    return bubble("cloud", "", kind, content)


def _cloud(kind: str, content: Any) -> JsonObject | None:
    if kind == "text":
        return {"text": content["body"]}
    if kind in _MEDIA:
        return {"media": _medium(kind, content), "text": content.get("caption")}
    return _OF_CLOUD[kind](content) if kind in _OF_CLOUD else None


def _medium(kind: str, content: Mapping[str, Any]) -> JsonObject:
    return {"kind": kind, "id": content.get("id"), "link": content.get("link"), "name": content.get("filename")}


def _interactive(content: JsonObject) -> JsonObject | None:
    action, header = content["action"], content.get("header") or {}
    kind = header.get("type")
    frame: JsonObject = {
        "header": header.get("text"),
        "media": _medium(kind, header[kind]) if kind in _MEDIA else None,
        "text": (content.get("body") or {}).get("text"),
        "footer": (content.get("footer") or {}).get("text"),
    }
    match content["type"]:
        case "button":
            return frame | {"buttons": [_button(each["reply"]) for each in action["buttons"]]}
        case "list":
            return frame | {"menu": _menu(action["button"], action["sections"], "id")}
        case "cta_url":
            parameters = action["parameters"]
            return frame | {"link": {"title": parameters["display_text"], "url": parameters["url"]}}
        case other:
            return frame | {"note": f"[{other}]"}


def _button(reply: Mapping[str, Any]) -> JsonObject:
    return {"id": reply["id"], "title": reply["title"], "type": "button_reply"}


def _menu(button: str, sections: Sequence[Mapping[str, Any]], id_field: str) -> JsonObject:
    shown = [{"title": each.get("title"), "rows": [_row(row, id_field) for row in each["rows"]]} for each in sections]
    return {"title": button, "sections": shown}


def _row(row: Mapping[str, Any], id_field: str) -> JsonObject:
    told = {"id": row[id_field], "title": row["title"], "type": "list_reply"}
    return told | ({"description": row["description"]} if row.get("description") else {})


def _template(content: JsonObject) -> JsonObject:
    components = content.get("components") or []
    texts = [str(each.get("text") or f"[{each['type']}]") for part in components for each in part.get("parameters", ())]
    payloads = [
        part["parameters"][0]["payload"]
        for part in components
        if part.get("type") == "button" and part.get("sub_type") == "quick_reply"
    ]
    return {
        "header": f"Template {content['name']} ({content['language']['code']})",
        "text": "\n".join(text for text in texts if text != "[payload]"),
        "buttons": [{"id": payload, "title": payload, "type": "button"} for payload in payloads],
    }


def _location(content: JsonObject) -> JsonObject:
    named = [content[name] for name in ("name", "title", "address") if content.get(name)]
    return {"text": "\n".join([*named, f"📍 {content['latitude']}, {content['longitude']}"])}


def _contacts(content: Sequence[JsonObject]) -> JsonObject:
    named = (each["name"]["formatted_name"] for each in content)
    return {"text": "\n".join(f"👤 {name}" for name in named)}


_OF_CLOUD: Final[dict[str, Callable[[Any], JsonObject | None]]] = {
    "interactive": _interactive,
    "template": _template,
    "location": _location,
    "contacts": _contacts,
}


def _wasender(kind: str, content: JsonObject) -> JsonObject | None:
    if kind in _MEDIA:
        media = {"kind": kind, "link": content[f"{kind}Url"], "name": content.get("fileName")}
        return {"media": media, "text": content.get("text")}
    if kind == "location":
        return _location(content["location"])
    if kind == "contacts":
        return {"text": f"👤 {content['contact']['name']}"}
    if kind == "poll":
        return _poll(content["poll"]["question"], content["poll"]["options"])
    return {"text": content["text"]}


def _waha(kind: str, content: JsonObject) -> JsonObject | None:
    if kind in _MEDIA:
        return {"media": _file(kind, content), "text": content.get("caption")}
    if kind in _OF_WAHA:
        return _OF_WAHA[kind](content)
    return {"text": content.get("text") or content.get("message")} if kind == "text" else None


def _file(kind: str, content: JsonObject) -> JsonObject:
    """Return a file of WAHA, which is an object, or of Wawp, whose fields are called `file[url]` and so on."""
    file = content.get("file") or {
        name: content.get(f"file[{name}]") for name in ("url", "data", "mimetype", "filename")
    }
    media = {"kind": kind, "link": file.get("url"), "name": file.get("filename")}
    return media | ({"source": f"data:{file['mimetype']};base64,{file['data']}"} if file.get("data") else {})


def _list_of_waha(content: JsonObject) -> JsonObject:
    told = content["message"]
    frame = {"header": told.get("title"), "text": told.get("description"), "footer": told.get("footer")}
    return frame | {"menu": _menu(told["button"], told["sections"], "rowId")}


def _buttons_of_waha(content: JsonObject) -> JsonObject:
    shown = {name: content.get(field) for name, field in (("header", "header"), ("text", "body"), ("footer", "footer"))}
    links = [each for each in content["buttons"] if each.get("type") == "url"]
    replies = [{"id": each["id"], "title": each["text"]} for each in content["buttons"] if each not in links]
    link = {"title": links[0]["text"], "url": links[0]["url"]} if links else None
    return shown | {"buttons": [_button(each) for each in replies], "link": link}


def _poll(question: str, options: Sequence[str]) -> JsonObject:
    return {"text": "\n".join([f"📊 {question}", *(f"○ {option}" for option in options)])}


_OF_WAHA: Final[dict[str, Callable[[JsonObject], JsonObject]]] = {
    "list": _list_of_waha,
    "buttons": _buttons_of_waha,
    "location": _location,
    "contacts": lambda content: {"text": "\n".join(f"👤 {each.get('fullName')}" for each in content["contacts"])},
    "poll": lambda content: _poll(content["poll"]["name"], content["poll"]["options"]),
}
_FORMS: Final[dict[str, Callable[[str, Any], JsonObject | None]]] = {
    "cloud": _cloud,
    "wasender": _wasender,
    "waha": _waha,
    "wawp": _waha,
}
