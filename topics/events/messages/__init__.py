"""The types of messages, one file each, all in the Cloud API's shape: `type` names the field that holds the content.

A provider whose messages look otherwise brings them into this shape; each model's docstring says what it must fill. A
message of a type without a model is no message event: it arrives whole as a `topics.events.unknown.UnknownEvent`.

A new type: a file beside `text.py` with a model whose `type` is a `Literal`, and its name in `Message`.
"""

from typing import Annotated, TypeAlias

from pydantic import Field

from topics.events.messages.audio import AudioMessage
from topics.events.messages.base import MessageBase
from topics.events.messages.button import ButtonMessage
from topics.events.messages.contacts import ContactCard, ContactsMessage
from topics.events.messages.document import DocumentMessage
from topics.events.messages.image import ImageMessage
from topics.events.messages.interactive import InteractiveMessage
from topics.events.messages.lifecycle import EditMessage, RevokeMessage
from topics.events.messages.location import LocationMessage
from topics.events.messages.media import MediaContent, MediaMessage
from topics.events.messages.notices import CallNoticeMessage, GroupNoticeMessage
from topics.events.messages.order import OrderMessage
from topics.events.messages.poll import PollMessage, PollVoteMessage
from topics.events.messages.reaction import ReactionMessage
from topics.events.messages.sticker import StickerMessage
from topics.events.messages.system import SystemMessage
from topics.events.messages.text import TextContent, TextMessage
from topics.events.messages.unsupported import UnsupportedMessage
from topics.events.messages.video import VideoMessage

AnyMessage: TypeAlias = (
    TextMessage
    | ImageMessage
    | VideoMessage
    | AudioMessage
    | DocumentMessage
    | StickerMessage
    | LocationMessage
    | ContactsMessage
    | InteractiveMessage
    | ButtonMessage
    | ReactionMessage
    | OrderMessage
    | SystemMessage
    | PollMessage
    | PollVoteMessage
    | EditMessage
    | RevokeMessage
    | GroupNoticeMessage
    | CallNoticeMessage
    | UnsupportedMessage
)
Message: TypeAlias = Annotated[AnyMessage, Field(discriminator="type")]

__all__ = [
    "AnyMessage",
    "AudioMessage",
    "ButtonMessage",
    "CallNoticeMessage",
    "ContactCard",
    "ContactsMessage",
    "DocumentMessage",
    "EditMessage",
    "GroupNoticeMessage",
    "ImageMessage",
    "InteractiveMessage",
    "LocationMessage",
    "MediaContent",
    "MediaMessage",
    "Message",
    "MessageBase",
    "OrderMessage",
    "PollMessage",
    "PollVoteMessage",
    "ReactionMessage",
    "RevokeMessage",
    "StickerMessage",
    "SystemMessage",
    "TextContent",
    "TextMessage",
    "UnsupportedMessage",
    "VideoMessage",
]
