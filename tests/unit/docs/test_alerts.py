"""docs/alerts.yaml: rules that fire on metrics which there are."""

from __future__ import annotations

import re
from pathlib import Path

import yaml

from pipeline.metrics import exposition

RULES = Path(__file__).parents[3] / "docs" / "alerts.yaml"


def test_every_rule_is_about_a_metric_that_there_is() -> None:
    """An alert on a renamed metric never fires, and nobody notices."""
    known = set(re.findall(r"^# HELP (\w+)", exposition().decode(), re.MULTILINE))
    rules = [rule for group in yaml.safe_load(RULES.read_text())["groups"] for rule in group["rules"]]
    assert {"PipelineDeliveryGap", "PipelineWebhooksRefused"} <= {rule["alert"] for rule in rules}
    for rule in rules:
        named = {name.removesuffix("_bucket") for name in re.findall(r"pipeline_\w+", rule["expr"])}
        assert named
        assert named <= known
