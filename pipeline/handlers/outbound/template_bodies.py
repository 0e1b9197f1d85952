"""The bodies of templates. Sources: Cloud API, template messages; Wappa 0.31 for the checks of its three sends."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any, Final

from pipeline.errors import Unsendable
from pipeline.handlers.outbound import checks
from pipeline.handlers.outbound.headers import medium
from pipeline.handlers.outbound.models import TemplateType
from pipeline.handlers.outbound.sender_mixin import Body
from pipeline.handlers.outbound.specialised import degrees

NAME: Final = 512
CODE: Final = 15
"""Maximum length of a one-time code, in characters."""

_NOT_IN_PARAMETERS: Final = re.compile(r"[\r\n\t]| {5}")
_TYPES: Final = tuple(TemplateType)
_METHODS: Final = ("one_tap", "zero_tap", "copy_code")
_MEDIA: Final = ("image", "video", "document")
_ROUTES: Final = ("category_default", "cloud_messages_fallback")


def generic_body(name: object, language: object, components: object, kind: object, route: object) -> Body:
    """Return the body of any template."""
    listed = None
    if components:
        listed = [_component(each) for each in checks.items("components", components, 1, 25)]
    return checks.given(
        name=checks.text("template's name", name, NAME),
        language=_language(language),
        components=listed,
        category=str(kind) if kind else None,
        marketing=_marketing(kind, route) or None,
    )


def _component(value: object) -> Body:
    """Return a component as the Cloud API writes it, also of a carousel's card. Unknown fields are sent as they are."""
    component = checks.mapping("component", value)
    checks.text("component's type", component.get("type"), 64)
    for parameter in _inside(component, "parameters"):
        _check_parameter(parameter)
    for card in _inside(component, "cards"):
        for each in _inside(checks.mapping("card", card), "components"):
            _component(each)
    return component


def _inside(component: Body, name: str) -> Sequence[Any]:
    return checks.items(name, component.get(name, ()), 0, 100)


def _check_parameter(value: object) -> None:
    parameter = checks.mapping("parameter", value)
    kind = checks.text("parameter's type", parameter.get("type"), 64)
    if kind == "text":
        parameter_text(parameter.get("text"))
    elif kind in _MEDIA:
        medium(checks.mapping(kind, parameter.get(kind)), kind)
    elif kind not in parameter:
        raise Unsendable(f"a parameter of type {kind} has no {kind}")


def parameter_text(value: object, most: int = 32_768) -> str:
    """Return the value of a variable. Source: Meta's error 132018."""
    text = checks.text("parameter", value, most)
    if _NOT_IN_PARAMETERS.search(text):
        raise Unsendable(
            "a template's parameter holds a line break, a tab or more than 4 spaces in a row: Meta refuses it"
        )
    return text


def text_template_body(
    name: object, language: object, parameters: object, kind: object, route: object, method: object, index: object
) -> Body:
    """Return the body of a template with a text header or none."""
    components = body_component(parameters)
    if kind == TemplateType.AUTHENTICATION:
        components = [*components, _code_button(components, method, index)]
    elif method is not None:
        raise Unsendable("authentication_method belongs to authentication templates only", "INVALID_TEMPLATE_TYPE")
    return generic_body(name, language, components, kind, route)


def media_template_body(
    name: object, language: object, parameters: object, kind: object, route: object, *header: object
) -> Body:
    """Return the body of a template with a medium."""
    return generic_body(name, language, [_media_header(*header), *body_component(parameters)], kind, route)


def location_template_body(
    name: object, language: object, parameters: object, kind: object, route: object, *place: object
) -> Body:
    """Return the body of a template with a place."""
    return generic_body(name, language, [_location_header(*place), *body_component(parameters)], kind, route)


def body_component(parameters: object) -> list[Body]:
    """Return the body's component, if there are parameters.

    Text only, as in Wappa; `send_template` takes the others.
    """
    if not parameters:
        return []
    listed = checks.items("parameters", parameters, 1, 10)
    return [{"type": "body", "parameters": [_parameter(each) for each in listed]}]


def _parameter(value: object) -> Body:
    given = checks.mapping("parameter", {"text": value} if isinstance(value, str) else value)
    if given.get("type", "text") != "text":
        raise Unsendable("a parameter is not of type text: use send_template for the others")
    text = parameter_text(given.get("text"), 1024)
    name = checks.optional("parameter's name", given.get("parameter_name"), 128)
    return {"type": "text", "text": text} | checks.given(parameter_name=name)


def _code_button(components: list[Body], method: object, index: object) -> Body:
    """Return the button that Meta requires beside the body of an authentication template: it repeats the code."""
    if method not in _METHODS:
        raise Unsendable(f"authentication_method is none of {', '.join(_METHODS)}", "INVALID_TEMPLATE_TYPE")
    if not isinstance(index, int) or not 0 <= index <= 9:
        raise Unsendable("authentication_button_index is not between 0 and 9")
    parameters: list[Body] = components[0]["parameters"] if components else []
    if len(parameters) != 1 or "parameter_name" in parameters[0]:
        raise Unsendable("an authentication template has one parameter without a name: the code")
    code = checks.text("code", parameters[0]["text"], CODE)
    return {
        "type": "button",
        "sub_type": "url",
        "index": str(index),
        "parameters": [{"type": "text", "text": code}],
    }


def _media_header(media_type: object, media_id: object, media_url: object) -> Body:
    if media_type not in _MEDIA:
        raise Unsendable(f"media_type is none of {', '.join(_MEDIA)}", "INVALID_MEDIA_TYPE")
    if bool(media_id) == bool(media_url):
        raise Unsendable("give exactly one of media_id and media_url", "NO_MEDIA_ID")
    medium = {"id": str(media_id)} if media_id else {"link": checks.url(media_url)}
    return _header({"type": str(media_type), str(media_type): medium})


def _location_header(latitude: object, longitude: object, name: object, address: object) -> Body:
    degrees("latitude", latitude, 90)
    degrees("longitude", longitude, 180)
    place = {
        "latitude": str(latitude),
        "longitude": str(longitude),
        "name": checks.text("location's name", name, 100),
        "address": checks.text("location's address", address, 1000),
    }
    return _header({"type": "location", "location": place})


def _header(parameter: Mapping[str, Any]) -> Body:
    return {"type": "header", "parameters": [dict(parameter)]}


def _language(value: object) -> str:
    if value is None:
        raise Unsendable(
            "the template has no language: pass language_code, e.g. es or en_US, or set the template_language of the "
            "tenant or of the handler's class"
        )
    if not isinstance(value, str) or not 2 <= len(value) <= 32:
        raise Unsendable("the language code has not 2 to 32 characters, e.g. es or en_US")
    return value


def _marketing(kind: object, route: object) -> bool:
    """Return True if the template goes through the endpoint for marketing messages."""
    if kind is not None and kind not in _TYPES:
        raise Unsendable(f"template_type is none of {', '.join(TemplateType)}", "INVALID_TEMPLATE_TYPE")
    if route not in _ROUTES:
        raise Unsendable(f"routing_policy is none of {', '.join(_ROUTES)}", "INVALID_TEMPLATE_TYPE")
    if route != "category_default" and kind != TemplateType.MARKETING:
        raise Unsendable("only marketing templates have a routing fallback", "INVALID_TEMPLATE_TYPE")
    return kind == TemplateType.MARKETING and route == "category_default"
