"""The types of messages, one file each.

A new type: a file beside `text.py` with a model whose `type` is a `Literal`, its name in `Message` (a union
discriminated by `type` as soon as there are two), and a line in each provider's table of typed messages. Until then
it arrives as `topics.events.unknown.UnknownEvent`.
"""

from typing import TypeAlias

from topics.events.messages.base import MessageBase
from topics.events.messages.text import TextContent, TextMessage

Message: TypeAlias = TextMessage

__all__ = ["Message", "MessageBase", "TextContent", "TextMessage"]
