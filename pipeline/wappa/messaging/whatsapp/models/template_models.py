"""Categories of templates."""

from pipeline.handlers import TemplateType as WhatsAppTemplateType

__all__ = ["WhatsAppTemplateType"]
