"""The catalogue's list of the topics that each app reads."""

from __future__ import annotations

import asyncio
from pathlib import Path

from pipeline.agents import topology
from pipeline.runtime import PipelineApp
from pipeline.settings import Settings
from pipeline.tenants import load_tenants, sample
from pipeline.topics.catalogue import sources


def test_it_is_what_the_topology_reads(tmp_path: Path) -> None:
    """`pipeline lag` would not look at a topic that an app has come to read."""
    tenants = load_tenants(sample(), {"PIPELINE_SANDBOX_URL": "http://127.0.0.1:8090"})
    settings = Settings(data_dir=tmp_path, cache="memory")

    def apps() -> list[PipelineApp]:
        lanes = [topology.handlers(settings, tenants, lane) for lane in tenants.lanes]
        return [topology.intake(settings, tenants), *lanes, topology.messenger(settings, tenants)]

    async def run() -> dict[str, set[str]]:
        built = apps()
        for app in built:
            await app.release()
        return {app.conf.id: app.sources for app in built}

    assert {app: set(topics) for app, topics in sources(tenants.lanes).items()} == asyncio.run(run())
