"""Parked records of a real worker, as its port, its metrics, `pipeline parked` and `pipeline doctor` show them."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path
from typing import Any

from pipeline.cli._checks import CheckState
from pipeline.cli._worker_check import check_workers
from pipeline.local.kafka import Kafka
from pipeline.runtime.flows.in_flight import MAX_UNFINISHED
from pipeline.settings import Settings
from tests.integration.installation import Done, pipeline
from tests.integration.runtime_client import Worker, keys_of, site
from tests.support.stacks import eventually

KEY = "a key of masks for one test"
STUCK_AFTER = "8"
"""The metrics are counted eight times in this time, in seconds."""


def parked(worker: Worker, *arguments: str, key: str = KEY) -> Done:
    return pipeline("parked", "--workers", worker.url, *arguments, mask_key=key)


def shown(worker: Worker, *arguments: str) -> list[dict[str, Any]]:
    done = parked(worker, "--json", *arguments)
    assert done.returncode == 0, done.stderr
    return [json.loads(line) for line in done.stdout.splitlines()]


def test_an_operator_sees_what_waits_whose_it_is_and_when_it_has_come_back(kafka: Kafka, tmp_path: Path) -> None:
    """A thousand messages of a tenant whose hook raises would be nowhere: in no lag, no log, and on no screen."""
    with site(kafka.bootstrap, tmp_path) as place:
        go, keys = str(place.path("go")), keys_of(partition=2, number=MAX_UNFINISHED + 100)
        for number in range(2):
            place.feed((key, {"id": f"{key}-{number}", "do": "back off", "until": go}) for key in keys)
        settings = {"PIPELINE_MASK_KEY": KEY, "PIPELINE_STUCK_AFTER": STUCK_AFTER, "PIPELINE_DATA_DIR": str(tmp_path)}
        worker = place.ready("turns", **settings)
        eventually(lambda: worker.metric("pipeline_parked_records", partition="2") > MAX_UNFINISHED, "parked records")

        queues = shown(worker)
        assert {queue["partition"] for queue in queues} == {2}
        assert {queue["topic"] for queue in queues} == {f"{place.name}.in"}
        assert sum(queue["records"] for queue in queues) > MAX_UNFINISHED
        assert all(queue["oldest_seconds"] is not None for queue in queues)
        assert {queue["key"] for queue in shown(worker, "--reveal", "--app", place.name)} <= set(keys)
        assert shown(worker, "--app", "no-app") == []
        tenant = queues[0]["tenant"]
        assert {queue["tenant"] for queue in shown(worker, "--tenant", tenant)} == {tenant}
        table = parked(worker).stdout.splitlines()
        assert table[0].split() == ["APP", "TENANT", "KEY", "RECORDS", "SIZE", "OLDEST", "STATE"]
        assert table[-1].startswith("parked: ")
        refused = parked(worker, "--reveal", key="another key of masks")
        assert refused.returncode == 1
        assert "PIPELINE_MASK_KEY" in refused.stderr

        lag = json.loads(worker.get("/lag")[1])[place.name][f"{place.name}.in/2"]
        assert lag["parked"] > MAX_UNFINISHED
        assert worker.metric("pipeline_parked_seconds", partition="2") > 0
        assert worker.metric("pipeline_parked_bytes", partition="2") > MAX_UNFINISHED
        assert worker.metric("pipeline_parked_total", app=place.name) > MAX_UNFINISHED
        assert worker.get("/metrics")[1].count("pipeline_parked_top_records{") <= 20
        assert worker.ready

        place.path("go").touch()
        place.wait_written(2 * len(keys))
        eventually(lambda: shown(worker) == [], "nothing parked")
        eventually(lambda: worker.metric("pipeline_parked_records", partition="2") == 0, "a metric of 0")
        assert place.in_order()
        worker.kill()
        silent = parked(worker)
        assert (silent.returncode, silent.stdout) == (1, "parked: 0 records of 0 keys, 0 B\n")
        assert "no answer from the worker" in silent.stderr


def test_the_doctor_names_the_tenant_whose_records_fail(kafka: Kafka, tmp_path: Path) -> None:
    """An operator would search all tenants for the one whose handler raises."""
    with site(kafka.bootstrap, tmp_path) as place:
        go = str(place.path("go"))
        place.feed([("bad.key", {"id": "bad-0", "do": "break", "until": go}), ("good.key", {"id": "good-0"})])
        worker = place.ready("turns", PIPELINE_FAILURE_RUN="1", PIPELINE_FAILURE_RATIO="0")
        eventually(lambda: "failing_tenants" in worker.get("/readyz")[1], "an open breaker")
        body = json.loads(worker.get("/readyz")[1])
        assert body == {
            "status": "ok",
            "failing_tenants": {place.name: {f"{place.name}.in": {"bad": "RuntimeError"}}},
        }
        assert worker.metric("pipeline_tenant_breaker_open", app=place.name, tenant="bad") == 1
        (finding,) = asyncio.run(check_workers(Settings(workers=(worker.url,))))
        assert finding.state is CheckState.WARNING
        assert finding.text.startswith(f"{place.name}: the records of tenant bad fail (RuntimeError)")
        place.path("go").touch()
        eventually(lambda: json.loads(worker.get("/readyz")[1]) == {"status": "ok"}, "a closed breaker")
        (finding,) = asyncio.run(check_workers(Settings(workers=(worker.url,))))
        assert finding.text == "1 ready"
        assert len(place.ids()) == 2
