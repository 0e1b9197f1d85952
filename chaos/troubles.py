"""The troubles of the noisy tenants: gateways that are away or hang, and a hook that raises."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import Final

from chaos.accounts import ABSENT, HANGING, RAISING
from chaos.gateway import Gateway, Mode
from chaos.observer import HANDLERS, Observer
from chaos.plan import Act, Fault
from chaos.raising import BROKEN, UNAVAILABLE
from chaos.stack import Stack
from pipeline.topics.catalogue import MESSENGER

TENANTS: Final = (RAISING.tenant, ABSENT.tenant, HANGING[0].tenant)
POLL: Final = 0.1
_MODES: Final = {Act.REFUSE: Mode.REFUSING, Act.UNAVAILABLE: Mode.UNAVAILABLE, Act.HANG: Mode.HANGING}


class Troubles:
    """Begins them, and ends each at its time or later, once somebody has met it and records were parked for it.

    A worker may be down or frozen for all of a trouble. What waits for that worker meets the trouble afterwards.

    Args:
        switch: the file that makes a hook raise.
        most_parked: the most records that were parked at once, by app and tenant. It is read again and again.

    Attributes:
        began: when the trouble of each tenant began, in seconds since the epoch.
        ended: when it was over.
        raised: how often the hook raised, by how.
    """

    def __init__(
        self, gateways: Mapping[str, Gateway], switch: Path, most_parked: Mapping[tuple[str, str], int]
    ) -> None:
        self.gateways = gateways
        self._most_parked = most_parked
        self._switch = switch
        self._ending: list[asyncio.Task[None]] = []
        self.began: dict[str, float] = {}
        self.ended: dict[str, float] = {}
        self.raised = {BROKEN: 0, UNAVAILABLE: 0}

    async def carry_out(self, fault: Fault) -> None:
        """Begin a trouble, or let it end."""
        if fault.act is Act.MEND:
            self._ending.append(asyncio.create_task(self._end_once_met(fault.target)))
            return
        self.began.setdefault(fault.target, time.time())
        if fault.act is Act.RAISE:
            self._switch.touch()
        else:
            await self.gateways[fault.target].become(_MODES[fault.act])

    async def end_all(self, seconds: float) -> None:
        """Wait until all troubles are over. After `seconds` end those that nobody has met."""
        if self._ending:
            _, unmet = await asyncio.wait(self._ending, timeout=seconds)
            for task in unmet:
                task.cancel()
            await asyncio.gather(*self._ending)

    def unmet(self, tenant: str) -> list[str]:
        """Return what has not come of a tenant's trouble, one line each."""
        if tenant == HANGING[0].tenant:
            return [] if self.gateways[tenant].unanswered else ["its host left no request without an answer"]
        app = HANDLERS if tenant == RAISING.tenant else MESSENGER
        found = self._unraised() if tenant == RAISING.tenant else self._unrefused(tenant)
        return [*found, *([] if self._most_parked.get((app, tenant)) else [f"the app {app} parked nothing of it"])]

    def _unraised(self) -> list[str]:
        self._count()
        names = {BROKEN: "an exception", UNAVAILABLE: "Unavailable"}
        return [f"its hook never raised {name}" for mark, name in names.items() if not self.raised[mark]]

    def _unrefused(self, tenant: str) -> list[str]:
        return [] if self.gateways[tenant].refused else ["its gateway refused nothing"]

    async def _end_once_met(self, tenant: str) -> None:
        with suppress(asyncio.CancelledError):
            while self.unmet(tenant):  # noqa: ASYNC110 (a file tells nobody that it has changed)
                await asyncio.sleep(POLL)
        if tenant == RAISING.tenant:
            self._switch.unlink()
        else:
            await self.gateways[tenant].become(Mode.OPEN)
        self.ended[tenant] = time.time()

    def _count(self) -> None:
        with suppress(FileNotFoundError):
            noted = self._switch.read_bytes()
            self.raised = {mark: noted.count(mark) for mark in self.raised}


@asynccontextmanager
async def troubles_of(stack: Stack, observer: Observer) -> AsyncIterator[Troubles]:
    """Run the gateways of a stack's noisy tenants. There are none without such tenants."""
    gateways = {name: Gateway(port, stack.sandbox_url) for name, port in stack.gateways.items()}
    started: list[Gateway] = []
    try:
        for gateway in gateways.values():
            await gateway.start()
            started.append(gateway)
        yield Troubles(gateways, stack.switch, observer.most_parked)
    finally:
        for gateway in started:
            await gateway.close()
