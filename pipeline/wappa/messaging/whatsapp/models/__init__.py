"""The models of sends and of their results."""

from pipeline.wappa.messaging.whatsapp.models.basic_models import MessageResult
from pipeline.wappa.messaging.whatsapp.models.interactive_models import (
    HeaderType,
    InteractiveHeader,
    ListRow,
    ListSection,
    ReplyButton,
)
from pipeline.wappa.messaging.whatsapp.models.media_models import MediaType
from pipeline.wappa.messaging.whatsapp.models.specialized_models import ContactCard
from pipeline.wappa.messaging.whatsapp.models.template_models import WhatsAppTemplateType

__all__ = [
    "ContactCard",
    "HeaderType",
    "InteractiveHeader",
    "ListRow",
    "ListSection",
    "MediaType",
    "MessageResult",
    "ReplyButton",
    "WhatsAppTemplateType",
]
