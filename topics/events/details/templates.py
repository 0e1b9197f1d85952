"""Message templates: approved, paused, judged, moved to another category, rewritten."""

from __future__ import annotations

from typing import Any

from pipeline.topics.events.details.base import AccountEventDetail, Text


class _Template(AccountEventDetail):
    message_template_id: Text | None = None
    message_template_name: str | None = None
    message_template_language: str | None = None


class TemplateStatus(_Template):
    """`event`: APPROVED, REJECTED, PENDING, PAUSED, DISABLED, IN_APPEAL, …."""

    event: str | None = None
    message_template_category: str | None = None
    reason: str | None = None
    disable_info: dict[str, Any] | None = None
    other_info: dict[str, Any] | None = None
    rejection_info: dict[str, Any] | None = None


class TemplateQuality(_Template):
    """Scores are GREEN, YELLOW, RED, UNKNOWN."""

    previous_quality_score: str | None = None
    new_quality_score: str | None = None


class TemplateCategory(_Template):
    """`correct_category` announces a change that is still to come."""

    previous_category: str | None = None
    new_category: str | None = None
    correct_category: str | None = None


class TemplateComponents(_Template):
    """The text of a template, as it reads now."""

    message_template_element: str | None = None
    message_template_title: str | None = None
    message_template_footer: str | None = None
    message_template_buttons: list[dict[str, Any]] | None = None
