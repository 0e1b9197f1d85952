"""The troubles of the noisy tenants: gateways that are away or hang, and a hook that raises."""

from __future__ import annotations

import time
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Final

from chaos.gateway import Gateway, Mode
from chaos.plan import Act, Fault
from chaos.stack import Stack

_MODES: Final = {Act.REFUSE: Mode.REFUSING, Act.UNAVAILABLE: Mode.UNAVAILABLE, Act.HANG: Mode.HANGING}


class Troubles:
    """Begins and ends them.

    Attributes:
        began: when the trouble of each tenant began, in seconds since the epoch.
        ended: when it was over.
    """

    def __init__(self, gateways: Mapping[str, Gateway], switch: Path) -> None:
        self.gateways = gateways
        self._switch = switch
        self.began: dict[str, float] = {}
        self.ended: dict[str, float] = {}

    async def carry_out(self, fault: Fault) -> None:
        """Begin a trouble, or end it."""
        gateway = self.gateways.get(fault.target)
        if gateway is not None:
            await gateway.become(_MODES.get(fault.act, Mode.OPEN))
        elif fault.act is Act.RAISE:
            self._switch.touch()
        else:
            self._switch.unlink()
        if fault.act is Act.MEND:
            self.ended[fault.target] = time.time()
        else:
            self.began.setdefault(fault.target, time.time())


@asynccontextmanager
async def troubles_of(stack: Stack) -> AsyncIterator[Troubles]:
    """Run the gateways of a stack's noisy tenants. There are none without such tenants."""
    gateways = {name: Gateway(port, stack.sandbox_url) for name, port in stack.gateways.items()}
    started: list[Gateway] = []
    try:
        for gateway in gateways.values():
            await gateway.start()
            started.append(gateway)
        yield Troubles(gateways, stack.switch)
    finally:
        for gateway in started:
            await gateway.close()
