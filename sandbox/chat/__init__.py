"""The chat box: a page in the browser in which a person writes to a bot as a user would."""

from pipeline.sandbox.chat.routes import Chat

__all__ = ["Chat"]
