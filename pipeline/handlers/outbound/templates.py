"""Templates: messages that Meta has approved beforehand, the only ones allowed outside the 24-hour window.

Wappa's three sends cover text, media and location headers; `send_template` takes any components: buttons, carousel,
limited-time offer, catalogue, one-time codes, ….
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final, Unpack

from pipeline.handlers.outbound.models import TemplateType
from pipeline.handlers.outbound.sender_mixin import Body, SenderMixin, SendOptions
from pipeline.handlers.outbound.template_bodies import (
    generic_body,
    location_template_body,
    media_template_body,
    text_template_body,
)
from pipeline.handlers.results import SendResult
from pipeline.topics.commands import CommandKind, Priority

Parameters = Sequence[str | Mapping[str, Any]] | None
"""A string each, or `{"type": "text", "text": …}` with `parameter_name` if the template names its variables."""

DEFAULT_ROUTE: Final = "category_default"
CODE_LIFETIME: Final = 600.0
"""Seconds in which an authentication template is sent, if the call says nothing else. Meta's own default is the same:
so long it keeps one for a phone that is off."""


class TemplateSender(SenderMixin):
    """Sends templates. `template_type` is the template's category; Wappa 0.1 did not ask for it.

    A marketing template goes through Meta's marketing endpoint if `template_type` says that it is one, unless
    `routing_policy` is `cloud_messages_fallback`. By either way it is `bulk`, unless `priority` says otherwise.

    A template is approved for each language by itself. Without `language_code` it has the `template_language` of the
    tenant, else of the handler's class, and is rejected if neither has one.
    """

    def _template_language(self) -> str | None:
        """Return the language of templates that name none; None if there is none."""
        return None

    async def send_text_template(
        self,
        template_name: str,
        recipient: str,
        body_parameters: Parameters = None,
        language_code: str | None = None,
        *,
        template_type: TemplateType | str | None = None,
        routing_policy: str = DEFAULT_ROUTE,
        authentication_method: str | None = None,
        authentication_button_index: int = 0,
        reply_to_message_id: str | None = None,
        **options: Unpack[SendOptions],
    ) -> SendResult:
        """Send a template with up to 10 parameters of up to 1,024 characters.

        An authentication template has the code as its one parameter and needs `authentication_method` (`one_tap`,
        `zero_tap`, `copy_code`); its button is filled in with the same code. It expires in 10 minutes by default.
        """
        what = (template_name, language_code, body_parameters, template_type, routing_policy)
        auth = (authentication_method, authentication_button_index)
        return self._template(recipient, reply_to_message_id, options, text_template_body, *what, *auth)

    async def send_media_template(
        self,
        template_name: str,
        recipient: str,
        media_type: str,
        media_id: str | None = None,
        media_url: str | None = None,
        body_parameters: Parameters = None,
        language_code: str | None = None,
        *,
        template_type: TemplateType | str | None = None,
        routing_policy: str = DEFAULT_ROUTE,
        reply_to_message_id: str | None = None,
        **options: Unpack[SendOptions],
    ) -> SendResult:
        """Send a template with an image, video or document above it, by exactly one of `media_id` and `media_url`."""
        what = (template_name, language_code, body_parameters, template_type, routing_policy)
        header = (media_type, media_id, media_url)
        return self._template(recipient, reply_to_message_id, options, media_template_body, *what, *header)

    async def send_location_template(
        self,
        template_name: str,
        recipient: str,
        latitude: str | float,
        longitude: str | float,
        name: str,
        address: str,
        body_parameters: Parameters = None,
        language_code: str | None = None,
        *,
        template_type: TemplateType | str | None = None,
        routing_policy: str = DEFAULT_ROUTE,
        reply_to_message_id: str | None = None,
        **options: Unpack[SendOptions],
    ) -> SendResult:
        """Send a template with a place above it."""
        what = (template_name, language_code, body_parameters, template_type, routing_policy)
        header = (latitude, longitude, name, address)
        return self._template(recipient, reply_to_message_id, options, location_template_body, *what, *header)

    async def send_template(
        self,
        template_name: str,
        recipient: str,
        components: Sequence[Mapping[str, Any]] | None = None,
        language_code: str | None = None,
        *,
        template_type: TemplateType | str | None = None,
        routing_policy: str = DEFAULT_ROUTE,
        reply_to_message_id: str | None = None,
        **options: Unpack[SendOptions],
    ) -> SendResult:
        """Send any template, with its components as the Cloud API writes them."""
        what = (template_name, language_code, components, template_type, routing_policy)
        return self._template(recipient, reply_to_message_id, options, generic_body, *what)

    def _template(
        self,
        recipient: str,
        reply_to: str | None,
        options: SendOptions,
        build: Callable[..., Body],
        name: str,
        language: str | None,
        content: object,
        category: TemplateType | str | None,
        *rest: object,
    ) -> SendResult:
        """Queue a template. A marketing template without a `priority` is bulk: a campaign must not delay answers.

        An authentication template without `expires_in` ends as soon as its code does.
        """
        if category == TemplateType.MARKETING and "priority" not in options:
            options = {**options, "priority": Priority.BULK}
        if category == TemplateType.AUTHENTICATION and options.get("expires_in") is None:
            options = {**options, "expires_in": CODE_LIFETIME}
        what = (name, self._template_language() if language is None else language, content, category, *rest)
        return self._send(CommandKind.TEMPLATE, recipient, reply_to, options, build, *what)
