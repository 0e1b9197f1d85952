"""The types of messages."""

from pipeline.wappa.webhooks.whatsapp.message_types.audio import WhatsAppAudioMessage
from pipeline.wappa.webhooks.whatsapp.message_types.button import WhatsAppButtonMessage
from pipeline.wappa.webhooks.whatsapp.message_types.contact import WhatsAppContactMessage
from pipeline.wappa.webhooks.whatsapp.message_types.document import WhatsAppDocumentMessage
from pipeline.wappa.webhooks.whatsapp.message_types.image import WhatsAppImageMessage
from pipeline.wappa.webhooks.whatsapp.message_types.interactive import WhatsAppInteractiveMessage
from pipeline.wappa.webhooks.whatsapp.message_types.location import WhatsAppLocationMessage
from pipeline.wappa.webhooks.whatsapp.message_types.order import WhatsAppOrderMessage
from pipeline.wappa.webhooks.whatsapp.message_types.reaction import WhatsAppReactionMessage
from pipeline.wappa.webhooks.whatsapp.message_types.sticker import WhatsAppStickerMessage
from pipeline.wappa.webhooks.whatsapp.message_types.system import WhatsAppSystemMessage
from pipeline.wappa.webhooks.whatsapp.message_types.text import WhatsAppTextMessage
from pipeline.wappa.webhooks.whatsapp.message_types.unsupported import WhatsAppUnsupportedMessage
from pipeline.wappa.webhooks.whatsapp.message_types.video import WhatsAppVideoMessage

__all__ = [
    "WhatsAppAudioMessage",
    "WhatsAppButtonMessage",
    "WhatsAppContactMessage",
    "WhatsAppDocumentMessage",
    "WhatsAppImageMessage",
    "WhatsAppInteractiveMessage",
    "WhatsAppLocationMessage",
    "WhatsAppOrderMessage",
    "WhatsAppReactionMessage",
    "WhatsAppStickerMessage",
    "WhatsAppSystemMessage",
    "WhatsAppTextMessage",
    "WhatsAppUnsupportedMessage",
    "WhatsAppVideoMessage",
]
