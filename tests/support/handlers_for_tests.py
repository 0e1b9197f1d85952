"""Handlers that tests name by their dotted path."""

from __future__ import annotations

import asyncio
from typing import Any

from pipeline.errors import PermanentError
from pipeline.handlers import EventHandler
from pipeline.state import ICache
from pipeline.topics.events import AccountEvent, ErrorEvent, EventBase, MessageEvent, StatusEvent, UnknownEvent


class Recorder(EventHandler):
    """Does what `script` says, and remembers what it was given."""

    def __init__(self) -> None:
        super().__init__()
        self.seen: list[EventBase] = []

    async def process_message(self, webhook: MessageEvent) -> None:
        self.seen.append(webhook)
        await self.script(webhook)

    async def script(self, webhook: MessageEvent) -> None:
        await self.messenger.send_text(webhook.get_message_text(), webhook.user.user_id)


class OnlyMessages(Recorder):
    """Writes no hook but the required one."""


class Everything(Recorder):
    """Writes every hook and counts each call in a table."""

    async def script(self, webhook: MessageEvent) -> None:
        await self.note("message")

    async def process_status(self, webhook: StatusEvent) -> None:
        await self.note(f"status {webhook.status.value}")

    async def process_error(self, webhook: ErrorEvent) -> None:
        await self.note(f"error {webhook.get_primary_error().error_code}")

    async def process_account_event(self, webhook: AccountEvent) -> None:
        await self.note(f"account {webhook.event_type}")

    async def process_unknown(self, webhook: UnknownEvent) -> None:
        await self.note(f"unknown {webhook.event_type}")

    async def note(self, what: str) -> None:
        await self.cache_factory.create_table_cache().append_to_list("hooks", "calls", what)


class KeepsAttributes(Recorder):
    """Keeps what it likes in attributes: reassigned counters, lists, dicts, as the documents' metrics example does."""

    def __init__(self) -> None:
        super().__init__()
        self._count = 0
        self._times: list[str] = []
        self._by_tenant: dict[str, int] = {}

    async def script(self, webhook: MessageEvent) -> None:
        self._count += 1
        self._times.append(webhook.event_id)
        self._by_tenant[webhook.tenant_id] = self._by_tenant.get(webhook.tenant_id, 0) + 1
        await asyncio.sleep(0)
        messenger, user, inbox = self.messenger, self.user_id, self.inbox_id
        await asyncio.gather(self.answer(webhook, "gathered"), asyncio.create_task(self.answer(webhook, "task")))
        await messenger.send_text(f"{user} {inbox} {self._count}", webhook.user.user_id)

    async def answer(self, webhook: MessageEvent, how: str) -> None:
        await asyncio.sleep(0)
        await self.messenger.send_text(f"{how} {webhook.tenant_id}", webhook.user.user_id)


class KeepsCache(Recorder):
    """Keeps its first event's cache and messenger in attributes, as the documents' example does."""

    def __init__(self) -> None:
        super().__init__()
        self._cache: ICache | None = None

    async def script(self, webhook: MessageEvent) -> None:
        if not self._cache:
            self._cache = self.cache_factory.create_user_cache()
            self._messenger = self.messenger
        row: dict[str, Any] = await self._cache.get(webhook.user.user_id) or {}
        await asyncio.sleep(0)
        row["count"] = row.get("count", 0) + 1
        await self._cache.set(webhook.user.user_id, row, ttl=86400)
        await self._messenger.send_text(f"{webhook.tenant_id} {row['count']}", webhook.user.user_id)


class Slow(Recorder):
    """Waits for ever, once its effects are asked for."""

    async def script(self, webhook: MessageEvent) -> None:
        await super().script(webhook)
        await self.cache_factory.create_user_cache().increment_field("k", "n")
        await asyncio.Event().wait()


class Waits(Recorder):
    """Waits for a service that answers nobody before a hundred have asked, as many as a worker handles at once."""

    together = 100

    def __init__(self) -> None:
        super().__init__()
        self.waiting = 0
        self.answered = asyncio.Event()

    async def script(self, webhook: MessageEvent) -> None:
        self.waiting += 1
        if self.waiting == self.together:
            self.answered.set()
        try:
            await self.answered.wait()
        finally:
            self.waiting -= 1
        await super().script(webhook)


class WaitsForAll(Waits):
    """Waits until a thousand have asked."""

    together = 1000


class Dawdles(Recorder):
    """Takes its time, now more, now less."""

    async def script(self, webhook: MessageEvent) -> None:
        await asyncio.sleep(len(self.seen) * 7 % 5 / 1000)
        await super().script(webhook)


class Stubborn(Recorder):
    """Takes no notice of being cancelled."""

    async def script(self, webhook: MessageEvent) -> None:
        await super().script(webhook)
        try:
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            return


class Failing(Recorder):
    """Fails on its first call, after having asked for effects."""

    async def script(self, webhook: MessageEvent) -> None:
        await super().script(webhook)
        await self.cache_factory.create_user_cache().increment_field("k", "n")
        if len(self.seen) == 1:
            raise RuntimeError("once")


class ImpatientClient(Recorder):
    """Has a timeout of its own, which is not the runner's."""

    async def script(self, webhook: MessageEvent) -> None:
        raise TimeoutError("a service of mine")


class Forgetful(Recorder):
    """Starts a task and does not await it."""

    async def script(self, webhook: MessageEvent) -> None:
        self.task = asyncio.create_task(self.later(webhook))

    async def later(self, webhook: MessageEvent) -> None:
        await asyncio.sleep(0.01)
        await self.messenger.send_text("late", webhook.user.user_id)


class SharedRow(Recorder):
    """Reads a row that all conversations share, waits, and writes it back with one more."""

    pause = 0.0

    async def script(self, webhook: MessageEvent) -> None:
        table = self.cache_factory.create_table_cache()
        row = await table.get("visitors") or {"count": 0}
        await asyncio.sleep(self.pause)
        await table.set("visitors", {"count": row["count"] + 1})


class SlowlySharedRow(SharedRow):
    pause = 0.005


class UsesState(Recorder):
    """Uses `self.cache`."""

    async def script(self, webhook: MessageEvent) -> None:
        user = webhook.user.user_id
        known = await self.cache.user_exists(user)
        state = await self.cache.get_user_state(user)
        await self.cache.set_user_state(user, {"step": state.get("step", 0) + 1}, ttl=3600)
        await self.messenger.send_text(f"{known} {state}", user)


class Reports(Recorder):
    """Tells what it can use."""

    async def script(self, webhook: MessageEvent) -> None:
        self.status = self.get_dependency_status()
        self.valid = self.validate_dependencies()
        self.logger.info("from inside")


class Attentive(Recorder):
    """Marks the message as read, then fails for as long as `failures` says, then answers."""

    failures = 0

    async def script(self, webhook: MessageEvent) -> None:
        await self.messenger.send_text("one", webhook.user.user_id)
        await self.messenger.mark_as_read(webhook.message.message_id, typing=True)
        await asyncio.sleep(0)
        if self.failures:
            self.failures -= 1
            raise RuntimeError("not yet")
        await self.messenger.send_text("two", webhook.user.user_id)


class Sorry(Failing):
    """Fails once, and apologises."""

    async def process_failure(self, webhook: EventBase, error: Exception) -> None:
        await self.messenger.send_text(f"sorry: {error}", webhook.contact or "")


class AlwaysSorry(Sorry):
    async def script(self, webhook: MessageEvent) -> None:
        raise RuntimeError("never")


class Hasty(Slow):
    timeout = 0.02


class ReadsThenTakes(Recorder):
    """Takes a seat if it is free, marking the message as read before; says so if it is not."""

    async def script(self, webhook: MessageEvent) -> None:
        seats = self.cache_factory.create_table_cache()
        if seat := await seats.get("seat"):
            await self.messenger.send_text(f"taken by {seat['by']}", webhook.user.user_id)
        else:
            await self.messenger.mark_as_read(webhook.message.message_id)
            await seats.set("seat", {"by": webhook.user.user_id})


class NoSuper(EventHandler):
    """Forgets `super().__init__()`."""

    def __init__(self) -> None:
        self.mine = 1

    async def process_message(self, webhook: MessageEvent) -> None:
        self.mine += 1


class Abstract(EventHandler):
    """Writes nothing."""


class Broken(Recorder):
    def __init__(self) -> None:
        raise ValueError("no key\nsecond line")


NOT_A_HANDLER = 5


class Form(EventHandler):
    """Ignores texts until "start", repeats what comes then, and ends with "stop"."""

    async def process_message(self, webhook: MessageEvent) -> None:
        state = self.cache_factory.create_state_cache()
        words = webhook.get_message_text() or ""
        filled = await state.get("form")
        if filled is None and words == "start":
            await state.set("form", {"said": []})
        elif filled is not None and words == "stop":
            await state.delete("form")
        elif filled is not None:
            await state.set("form", {"said": [*filled["said"], words]})
            await self.messenger.send_text(f"you said: {words}", webhook.user.user_id)


class MarksOnly(Recorder):
    """Marks the message as read, and no more."""

    async def script(self, webhook: MessageEvent) -> None:
        await self.messenger.mark_as_read(webhook.message.message_id)


class SpeechlessFailure(Recorder):
    """Counts the failures of this process, and says nothing to anybody."""

    failures = 0

    async def process_failure(self, webhook: EventBase, error: Exception) -> None:
        self.failures += 1


class Apologises(Recorder):
    """Says sorry where it fails."""

    async def process_failure(self, webhook: EventBase, error: Exception) -> None:
        await self.messenger.send_text("sorry", webhook.contact or "")


class WrongFailure(Recorder):
    """Makes a mistake where it would say sorry."""

    async def process_failure(self, webhook: EventBase, error: Exception) -> None:
        raise ZeroDivisionError


class FailsInItsFirstLife(EventHandler):
    """Fails for good at "bad" in the first process of all, says sorry for it, and would not fail in the next one."""

    lives = 0

    def __init__(self) -> None:
        super().__init__()
        type(self).lives += 1
        self._life = self.lives

    async def process_message(self, webhook: MessageEvent) -> None:
        words = webhook.get_message_text()
        if words == "bad" and self._life == 1:
            raise PermanentError("for a reason")
        await self.messenger.send_text(f"heard {words}", webhook.user.user_id)

    async def process_failure(self, webhook: EventBase, error: Exception) -> None:
        await self.messenger.send_text("sorry", webhook.contact or "")
