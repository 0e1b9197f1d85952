"""The types of messages, one file each, all in the Cloud API's shape: `type` names the field that holds the content.

A provider whose messages look otherwise brings them into this shape; each model's docstring says what it must fill. A
message of a type without a model is no message event: it arrives whole as a
`pipeline.topics.events.unknown.UnknownEvent`.

A new type: a file beside `text.py` with a model whose `type` is a `Literal`, and its name in `Message`.
"""

from typing import Annotated, TypeAlias

from pydantic import Field

from pipeline.topics.events.messages.audio import AudioMessage
from pipeline.topics.events.messages.base import MessageBase
from pipeline.topics.events.messages.button import ButtonMessage
from pipeline.topics.events.messages.contacts import ContactCard, ContactsMessage
from pipeline.topics.events.messages.document import DocumentMessage
from pipeline.topics.events.messages.image import ImageMessage
from pipeline.topics.events.messages.interactive import InteractiveMessage
from pipeline.topics.events.messages.lifecycle import EditMessage, RevokeMessage
from pipeline.topics.events.messages.location import LocationMessage
from pipeline.topics.events.messages.media import MediaContent, MediaMessage
from pipeline.topics.events.messages.notices import CallNoticeMessage, GroupNoticeMessage
from pipeline.topics.events.messages.order import OrderMessage
from pipeline.topics.events.messages.poll import PollMessage, PollVoteMessage
from pipeline.topics.events.messages.reaction import ReactionMessage
from pipeline.topics.events.messages.sticker import StickerMessage
from pipeline.topics.events.messages.system import SystemMessage
from pipeline.topics.events.messages.text import TextContent, TextMessage
from pipeline.topics.events.messages.unsupported import UnsupportedMessage
from pipeline.topics.events.messages.video import VideoMessage

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
