"""The settings and tenants of a candidate, whatever the environment says."""

from __future__ import annotations

from pathlib import Path

from bench.candidate import Task
from pipeline.settings import Settings
from pipeline.tenants import Tenants, load_tenants


def settings_of(task: Task) -> Settings:
    return Settings(
        _env_file=None,
        kafka=task.kafka,
        partitions=task.partitions,
        replication=1,
        data_dir=Path(task.data_dir),
        tenants=Path(task.tenants),
        session_timeout=10,
    )


def tenants_of(task: Task) -> Tenants:
    return load_tenants(Path(task.tenants))
