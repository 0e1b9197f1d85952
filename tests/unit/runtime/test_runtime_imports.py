"""Tools that need no Faust don't load it."""

from __future__ import annotations

import subprocess
import sys

TOOLS = ("admin", "installation", "partition_counts", "watermark", "topic_guard", "client_tasks", "idempotent_producer")


def test_tools_for_topics_and_groups_do_not_load_faust() -> None:
    """`pipeline topics` and the ingress would wait half a second for a library that they don't use."""
    modules = ", ".join(f"pipeline.runtime.kafka.{name}" for name in TOOLS)
    code = f"import sys, {modules}; print([name for name in sys.modules if name.partition('.')[0] == 'faust'])"
    loaded = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
    assert loaded.strip() == "[]"


def test_the_app_is_imported_when_it_is_asked_for() -> None:
    """A worker that names it would not start."""
    code = "from pipeline.runtime import PipelineApp; print(PipelineApp.__module__)"
    loaded = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
    assert loaded.strip() == "pipeline.runtime.faust.app"
