"""Codes about one message: its recipient, its template, its flow or its parameters. They fail that message alone."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

from pipeline.providers.cloud.error_codes.sources import FLOWS, META, PYWA
from pipeline.providers.code_policy import CodePolicy, Source

_FIX_REQUEST: Final = "correct what the handler sends; the outcome's text names the parameter"
_FIX_TEMPLATE: Final = "compare the send with the template in the WhatsApp Manager"


def _about_recipient(meaning: str, advice: str) -> CodePolicy:
    """Return the row of a code that Meta often tells by a status webhook only."""
    return CodePolicy(meaning, advice, META, by_status=True)


def _request(meaning: str, advice: str = _FIX_REQUEST, source: Source = META) -> CodePolicy:
    return CodePolicy(meaning, advice, source)


def _template(meaning: str, advice: str = _FIX_TEMPLATE, *, by_status: bool = False) -> CodePolicy:
    return CodePolicy(meaning, advice, META, by_status=by_status)


MESSAGES: Final[Mapping[int, CodePolicy]] = MappingProxyType(
    {
        130472: _about_recipient("this person is in an experiment of Meta's", "don't send it again"),
        131021: _request("sender and recipient are the same number", "leave the number out of the campaign"),
        131026: _about_recipient(
            "undeliverable: no WhatsApp, an old version, or the terms not accepted",
            "mark the person, and ask for another way to reach them",
        ),
        131030: _request(
            "the recipient is not in the test number's list", "add the recipient to the list in the app's dashboard"
        ),
        131047: _about_recipient(
            "more than 24 hours since the person's last message", "send a template instead of a free text"
        ),
        131050: _about_recipient("the person has stopped marketing messages", "take the person off the marketing list"),
        131062: _request(
            "this send is not possible to a business-scoped user id", "ask the person for the phone number"
        ),
        137000: _request(
            "the identity of the recipient has changed", "verify the person, and send with the new identity hash"
        ),
        100: _request("a parameter is unsupported or misspelled"),
        131008: _request("a required parameter is missing"),
        131009: _request("the value of a parameter is not valid"),
        131051: _request("this type of message is not supported", "send it as another type"),
        131055: _request("this method is not allowed"),
        132000: _template("the number of parameters differs from the template's"),
        132001: _template("the template does not exist in this language, or is not approved"),
        132005: _template("the text with its parameters is too long"),
        132007: _template("the text of the template violates a policy", "correct the template in the WhatsApp Manager"),
        132008: _template("the value of a template's parameter is not valid"),
        132012: _template("the format of a parameter differs from the template's"),
        132015: _template(
            "the template is paused for its low quality", "stop what sends it, and improve the template", by_status=True
        ),
        132016: _template(
            "the template was paused too often, so it is disabled",
            "make a new template with another text",
            by_status=True,
        ),
        132018: _template("a parameter has line breaks, tabs or more than four spaces in a row"),
        132068: _request("the flow is blocked", "correct the flow in the WhatsApp Manager", FLOWS),
        139000: _request("the flow is blocked for its integrity", "correct the flow in the WhatsApp Manager", PYWA),
    }
)
