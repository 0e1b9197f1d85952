"""The messenger."""

from pipeline.handlers.messenger import Messenger as WhatsAppMessenger

__all__ = ["WhatsAppMessenger"]
