"""Every metric there is: its name, its unit, and what its reader should do about it.

Labels are the names of stages, topics and tenants; never a phone number, an id or a text.
"""

from __future__ import annotations

from typing import Final

from prometheus_client import REGISTRY, Counter, Gauge, Histogram, generate_latest

_FAST: Final = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5)

WEBHOOKS: Final = Counter(
    "pipeline_webhooks_total",
    "Webhooks by provider and HTTP answer. Many 401: a secret is wrong, or guessed at. Any 503: look at the broker.",
    ["provider", "answer"],
)
WEBHOOK_SECONDS: Final = Histogram(
    "pipeline_webhook_seconds",
    "From a webhook's last byte to its answer, acknowledgement included. Platforms punish more than 0.25 s.",
    ["provider"],
    buckets=_FAST,
)
CONNECTIONS: Final = Gauge(
    "pipeline_connections", "Open connections of the ingress. Near PIPELINE_INGRESS_CONNECTIONS: add processes."
)
CONNECTIONS_CLOSED: Final = Counter(
    "pipeline_connections_closed_total",
    "Connections that the ingress closed, by reason: `evicted` for a newcomer at a limit, `slow head`, `slow reader`. "
    "Many: somebody holds connections; look at the proxy in front.",
    ["reason"],
)
DELIVERY_GAP: Final = Histogram(
    "pipeline_webhook_gap_seconds",
    "From an event at Wawp or WAHA to its webhook here. Growing: the provider is behind, or has to try again.",
    ["provider"],
    buckets=(0.5, 1, 2.5, 5, 10, 25, 60, 300, 1800, 3600, 21600, 86400),
)
RECORDS: Final = Counter(
    "pipeline_records_total",
    "Source records by app and what became of them (done, dead). Any dead: `pipeline dead-letters list`.",
    ["app", "result"],
)
BATCH_SECONDS: Final = Histogram(
    "pipeline_batch_seconds",
    "From taking a batch to letting its offsets go. Rising while lag rises: add workers.",
    ["app"],
    buckets=_FAST,
)
OUTPUTS: Final = Counter("pipeline_outputs_total", "Records published and acknowledged, by topic.", ["topic"])
RETRIES: Final = Counter(
    "pipeline_retries_total",
    "Retries in place by stage and kind of error. Unavailable: something outside is away and work is waiting for it.",
    ["stage", "error"],
)
DEAD_LETTERS: Final = Counter(
    "pipeline_dead_letters_total", "Dead letters by stage and kind of error.", ["stage", "error"]
)
GAP_RECORDS: Final = Counter(
    "pipeline_gap_records_total",
    "Records, at most, removed before an app processed them. Any: read the line `log_gap_found` and its letter.",
    ["app", "topic"],
)
RETENTION_USED: Final = Gauge(
    "pipeline_retention_used_ratio",
    "Share of a topic's retention that the oldest unfinished record has used: 0, 0.5, 0.75 or 0.9. At 1 it is removed.",
    ["app", "topic"],
)
BREAKER_OPEN: Final = Gauge(
    "pipeline_breaker_open",
    "Flows of an app that take nothing in because failures are the rule. Any: `/readyz` and the log name the cause.",
    ["app"],
)
IGNORED_FIELDS: Final = Counter(
    "pipeline_ignored_fields_total",
    "Values that were left out of an event, by provider and kind: not what the provider documents. Rising: it changed.",
    ["provider", "kind"],
)
SUSPECT_PARTITIONS: Final = Gauge(
    "pipeline_suspect_partitions",
    "Partitions of an app whose records are tried by halves, because its workers died. Not back at 0: read the log.",
    ["app"],
)
DUPLICATES: Final = Counter(
    "pipeline_duplicates_total",
    "Events that had been seen before. Usual: providers deliver at least once.",
    ["provider"],
)
COMMIT_AGE: Final = Gauge(
    "pipeline_commit_age_seconds",
    "Longest time in which nothing was done about a partition with work. Liveness fails on it.",
    ["app"],
)
IN_PROGRESS: Final = Gauge("pipeline_records_in_progress", "Records taken and not finished.", ["app"])
DELIVERIES: Final = Counter(
    "pipeline_deliveries_total",
    "Attempts at commands by tenant and result. `unknown`: a call was cut off; `permanent`: read the outcome's code.",
    ["tenant", "provider", "result"],
)
DELIVERY_SECONDS: Final = Histogram(
    "pipeline_delivery_seconds", "Duration of calls to the provider.", ["provider"], buckets=_FAST
)
STALE: Final = Counter(
    "pipeline_stale_total",
    "Messages that were too old to be handled when they arrived, by tenant (PIPELINE_MAX_EVENT_AGE). Many: a provider "
    "is days behind, or old webhooks are posted again.",
    ["tenant"],
)
HANDLED: Final = Counter("pipeline_handled_total", "Events handled, by tenant and kind.", ["tenant", "kind"])


def exposition() -> bytes:
    """All metrics of this process in Prometheus' text format."""
    return generate_latest(REGISTRY)
