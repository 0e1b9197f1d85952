"""Faust's table manager, without its wait of one second at every start."""

from __future__ import annotations

from faust.tables import TableManager as FaustTableManager


class TableManager(FaustTableManager):
    """Starts recovery at once.

    Faust waits for tables that are still to be defined. Here all tables exist before an app starts. The subscription
    waits for this, so every recovery after a crash would take that second too.
    """

    async def on_start(self) -> None:
        await self.app.agents.wait_until_agents_started()
        if not self.should_stop:
            await self._update_channels()
            await self.recovery.start()
