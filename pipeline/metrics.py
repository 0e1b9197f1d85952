"""All metrics, with their units and the actions they call for. `docs/metrics.md` is generated from this file.

Labels are names of stages, topics and tenants; never a phone number, an id or a text. Accounts are labels of the top
metrics alone, which are bounded.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from prometheus_client import REGISTRY, Counter, Gauge, Histogram, generate_latest

_FAST: Final = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5)

WEBHOOKS: Final = Counter(
    "pipeline_webhooks_total",
    "Webhooks by provider and HTTP answer. Many 401: wrong secrets, or guesses. Any 503: look at the broker.",
    ["provider", "answer"],
)
WEBHOOK_SECONDS: Final = Histogram(
    "pipeline_webhook_seconds",
    "Time from a webhook's last byte to its answer, in seconds. Keep it below 0.25: platforms throttle slow receivers.",
    ["provider"],
    buckets=_FAST,
)
CONNECTIONS: Final = Gauge(
    "pipeline_connections", "Open connections of the ingress. Near PIPELINE_INGRESS_CONNECTIONS: add processes."
)
CONNECTIONS_CLOSED: Final = Counter(
    "pipeline_connections_closed_total",
    "Connections that the ingress closed, by reason: `evicted` for a new one at a limit, `displaced` likewise with a "
    "webhook that waited for its turn, `slow head`, `slow reader`. "
    "Many: somebody holds connections. Look at the proxy in front.",
    ["reason"],
)
WEBHOOKS_WAITING: Final = Gauge(
    "pipeline_webhooks_waiting",
    "Webhooks and API sends that wait for their turn at the broker. Above 0 for long: it is slow, or a tenant floods.",
)
OVER_QUOTA: Final = Counter(
    "pipeline_over_quota_total",
    "Requests rejected for their tenant's sake: API sends with 429, webhooks of a full ingress with 503. Many: a "
    "campaign is not bulk, a program runs wild, or the tenant needs `send_limits`.",
    ["tenant", "quota"],
)
DELIVERY_GAP: Final = Histogram(
    "pipeline_webhook_gap_seconds",
    "Time from an event at Wawp or WAHA to its webhook here, in seconds. Growing: the provider is behind, or retries.",
    ["provider"],
    buckets=(0.5, 1, 2.5, 5, 10, 25, 60, 300, 1800, 3600, 21600, 86400),
)
RECORDS: Final = Counter(
    "pipeline_records_total",
    "Source records by app and result. Any `dead`: run `pipeline dead-letters list`.",
    ["app", "result"],
)
BATCH_SECONDS: Final = Histogram(
    "pipeline_batch_seconds",
    "Time from taking a batch to releasing its offsets, in seconds. Rising together with lag: add workers.",
    ["app"],
    buckets=_FAST,
)
OUTPUTS: Final = Counter("pipeline_outputs_total", "Records published and acknowledged, by topic.", ["topic"])
RETRIES: Final = Counter(
    "pipeline_retries_total",
    "Retries in place by stage and error. `Unavailable`: Redis or a provider is away, and records wait for it.",
    ["stage", "error"],
)
DEAD_LETTERS: Final = Counter("pipeline_dead_letters_total", "Dead letters by stage and error.", ["stage", "error"])
GAP_RECORDS: Final = Counter(
    "pipeline_gap_records_total",
    "Records, at most, that were removed before an app processed them. Any: read `log_gap_found` and its dead letter.",
    ["app", "topic"],
)
RETENTION_USED: Final = Gauge(
    "pipeline_retention_used_ratio",
    "Share of a topic's retention that the oldest unfinished record has used: 0, 0.5, 0.75 or 0.9. At 1 it is removed.",
    ["app", "topic"],
)
BREAKER_OPEN: Final = Gauge(
    "pipeline_breaker_open",
    "Flows of an app whose breaker is open. Any: `/readyz` and the log name the cause.",
    ["app"],
)
IGNORED_FIELDS: Final = Counter(
    "pipeline_ignored_fields_total",
    "Values left out of an event because the provider does not document them. Rising: the provider changed.",
    ["provider", "kind"],
)
SUSPECT_PARTITIONS: Final = Gauge(
    "pipeline_suspect_partitions",
    "Partitions in which a record that ends its worker is searched. Not back at 0: read the log.",
    ["app"],
)
DUPLICATES: Final = Counter(
    "pipeline_duplicates_total",
    "Events that were known already. Some are normal: providers deliver at least once.",
    ["provider"],
)
COMMIT_AGE: Final = Gauge(
    "pipeline_commit_age_seconds",
    "Longest time without progress of a partition with work, in seconds. Liveness fails on it.",
    ["app"],
)
LAG_RECORDS: Final = Gauge(
    "pipeline_lag_records",
    "Unprocessed records of the partitions that a worker has, by state. Sum the `sendable` ones of an app to scale it.",
    ["app", "topic", "partition", "state"],
)
LAG_SECONDS: Final = Gauge(
    "pipeline_lag_seconds",
    "Age of the oldest of these records, in seconds. `sendable` and growing: add workers. `held`: something waits.",
    ["app", "topic", "partition", "state"],
)
PARKED: Final = Counter(
    "pipeline_parked_total",
    "Records that were parked, because they could not be worked on soon. Many: `pipeline parked` shows whose they are.",
    ["app", "topic"],
)
PARKED_RECORDS: Final = Gauge(
    "pipeline_parked_records",
    "Parked records of the partitions that a worker has. Their offsets are committed, so no lag shows them.",
    ["app", "topic", "partition"],
)
PARKED_BYTES: Final = Gauge(
    "pipeline_parked_bytes", "Bytes of the parked records, without what the disk adds.", ["app", "topic", "partition"]
)
PARKED_SECONDS: Final = Gauge(
    "pipeline_parked_seconds",
    "Age of the oldest parked record, in seconds. Growing: something is away. `pipeline parked` shows what.",
    ["app", "topic", "partition"],
)
PARKING_USED: Final = Gauge(
    "pipeline_parking_used_ratio",
    "Share of PIPELINE_PARKING_MAX_BYTES that the parked records of a topic use. At 1 records wait in front of others.",
    ["app", "topic"],
)
TOP_RECORDS: Final = Gauge(
    "pipeline_parked_top_records",
    "Parked records of the accounts that have the most in a worker, 20 per app.",
    ["app", "tenant", "account"],
)
TOP_SECONDS: Final = Gauge(
    "pipeline_parked_top_seconds",
    "Age of the oldest parked record of these accounts, in seconds.",
    ["app", "tenant", "account"],
)
WAITING_RECORDS: Final = Gauge(
    "pipeline_waiting_records",
    "Records that a worker has taken or parked and not finished, by what they wait for. `nothing`: they are worked on "
    "or can be. All else is held, and more workers would not help it.",
    ["app", "topic", "partition", "held_by"],
)
HELD_SECONDS: Final = Gauge(
    "pipeline_held_seconds",
    "Time until the first of these records is expected to be free, in seconds. Not there where nobody knows: a person "
    "has paused it, or it waits for its turn.",
    ["app", "topic", "partition", "held_by"],
)
ACCOUNTS_HELD: Final = Gauge(
    "pipeline_accounts_held",
    "Accounts of a worker with records that wait, by what they wait for. `template_recipients_per_day` or "
    "`messages_per_day`: their day is used up. `unanswered`: look at their gateway.",
    ["app", "held_by"],
)
TOP_WAITING_RECORDS: Final = Gauge(
    "pipeline_waiting_top_records",
    "The same as `pipeline_waiting_records`, of the accounts of which most waits in a worker, 20 per app.",
    ["app", "tenant", "account", "held_by"],
)
TOP_HELD_SECONDS: Final = Gauge(
    "pipeline_held_top_seconds",
    "Time until the first of these records is expected to be free, in seconds.",
    ["app", "tenant", "account", "held_by"],
)
ALLOWANCE_USED: Final = Gauge(
    "pipeline_allowance_used_ratio",
    "Share of the allowed messages per second that was used in the last minute, by the accounts of a partition with "
    "much to send and nothing but their rate to hold it. Below 0.9 for long: calls are slow or slots few, or the "
    "worker is busy.",
    ["app", "partition"],
)
TOP_LIMIT_USED: Final = Gauge(
    "pipeline_limit_top_used_ratio",
    "Share of a limit that is used, of the accounts of which most waits. Of `messages_per_second` it is that of the "
    "last minute, with what it received, so it may be above 1. Near 1 of a day's: the rest waits for tomorrow.",
    ["app", "tenant", "account", "limit"],
)
TOP_RATE: Final = Gauge(
    "pipeline_rate_top_messages_per_second",
    "Messages per second of these accounts. `allowed` below `configured`: the provider has throttled the account.",
    ["app", "tenant", "account", "rate"],
)
TOP_THROTTLES: Final = Gauge(
    "pipeline_throttles_top_calls",
    "Calls of these accounts that were refused for the account's rate since the worker has them.",
    ["app", "tenant", "account"],
)
TOP_FAILED_OUTCOMES: Final = Gauge(
    "pipeline_failed_top_outcomes",
    "Outcomes `failed` of these accounts by error code, since the worker has them.",
    ["app", "tenant", "account", "code"],
)
THROTTLES: Final = Counter(
    "pipeline_throttles_total",
    "Calls that a provider refused because the account sent too fast, by tenant. They halve the account's rate for a "
    "while. Always some: lower `limits.messages_per_second`, or find out who else sends with the number.",
    ["tenant", "provider"],
)
ACCOUNTS_LOWERED: Final = Gauge(
    "pipeline_accounts_lowered",
    "Accounts of a worker that send at less than their configured rate, because their provider throttled them. They "
    "return to it within 100 s, unless they are throttled again.",
    ["app", "provider"],
)
ANSWER_CODES: Final = Counter(
    "pipeline_answer_codes_total",
    "Answers of providers with an error, by its code. Those that are tried again count each time.",
    ["provider", "code"],
)
FAILED_OUTCOMES: Final = Counter(
    "pipeline_failed_outcomes_total",
    "Outcomes `failed` by error code: those that a later status brings, too. Refused commands have "
    "`pipeline_refused_total`.",
    ["provider", "code"],
)
TENANT_BREAKER_OPEN: Final = Gauge(
    "pipeline_tenant_breaker_open",
    "Flows in which the breaker of one tenant is open. Its records wait and are tried again; the others go on. "
    "`/readyz` names the cause.",
    ["app", "tenant"],
)
IN_PROGRESS: Final = Gauge("pipeline_records_in_progress", "Records that were taken and are not finished.", ["app"])
DELIVERIES: Final = Counter(
    "pipeline_deliveries_total",
    "Attempts at commands by tenant and result. `unknown`: a call was cut off. `permanent`: read the outcome's code.",
    ["tenant", "provider", "result"],
)
DELIVERY_SECONDS: Final = Histogram(
    "pipeline_delivery_seconds", "Duration of calls to the provider, in seconds.", ["provider"], buckets=_FAST
)
EXPIRED: Final = Counter(
    "pipeline_expired_total",
    "Commands that could not be sent within their lifetime, by tenant. Any: an account is away, throttled or behind.",
    ["tenant", "provider"],
)
REFUSED: Final = Counter(
    "pipeline_refused_total",
    "Commands that were refused before the call, by tenant and reason: `outside_service_window`, `opted_out`. Many: a "
    "campaign's list is old, or answers come too late.",
    ["tenant", "provider", "reason"],
)
SEND_CONNECTIONS: Final = Gauge(
    "pipeline_send_connections",
    "Calls to the provider in flight (`in use`) and calls that wait for a connection slot (`waiting`). Always some "
    "waiting, and no breaker open: raise PIPELINE_SEND_CONCURRENCY.",
    ["provider", "state"],
)
SEND_BREAKERS_OPEN: Final = Gauge(
    "pipeline_send_breakers_open",
    "Accounts and hosts that do not answer, so that their commands are held: `account_unavailable` and "
    "`host_unavailable` in the log name them.",
    ["provider", "kind"],
)
ACCOUNTS_NEEDING_ATTENTION: Final = Gauge(
    "pipeline_accounts_needing_attention",
    "Accounts of a worker whose provider said within the last hour that a person must act, by error code. Any: "
    "`account_needs_attention` in the log names them and what to do.",
    ["app", "provider", "code"],
)
CONTROLS: Final = Gauge(
    "pipeline_controls",
    "Decisions of operators in force, as a messenger knows them: pauses of accounts and tenants, limits of accounts. "
    "`pipeline accounts list` names them. One that lasts: somebody may have forgotten it.",
    ["control"],
)
STALE: Final = Counter(
    "pipeline_stale_total",
    "Messages above PIPELINE_MAX_EVENT_AGE on arrival, by tenant. Many: a provider is days behind, or somebody posts "
    "old webhooks again.",
    ["tenant"],
)
HANDLED: Final = Counter("pipeline_handled_total", "Events handled, by tenant and kind.", ["tenant", "kind"])


LABELS: Final = {
    "account": "Account, `provider:id`. Only the 20 of an app and a worker with the most parked or waiting records.",
    "answer": "HTTP status of the answer.",
    "app": "App, which is its consumer group: `intake`, `handlers-<lane>`, `messenger`.",
    "code": "Error code of the provider; each has its line in [error codes](error-codes.md). `other`: it has none. "
    "`none`: no code came.",
    "control": "What was decided: `pause` or `limit`.",
    "error": "Class of the error, as in the header `error-type`.",
    "held_by": "What a record waits for. A limit of its account: `messages_per_second`, `pair`, `messages_per_day`, "
    "`template_recipients_per_day`. Somebody: `operator` (paused), `provider` (its error code pauses the account), "
    "`unanswered` (account or host is away). Itself: `retry` (its next try), `in_work` (a permit or a connection "
    "slot), `turn` (it is parked, and others are first), `room` (parking is full), `breaker` (its tenant fails). "
    "`nothing`, or `other`.",
    "kind": "Kind of the event, of the ignored value, or of the breaker: `account` or `host`.",
    "limit": "Limit of an account: `messages_per_second`, `messages_per_day`, `template_recipients_per_day`.",
    "partition": "Number of the partition.",
    "provider": "Provider; `unknown` where a request matched none, and `api` for sends over HTTP.",
    "quota": "Quota that was used up: `sends`, `interactive` or `uploads` of the HTTP API, `webhooks` for a place at "
    "the ingress.",
    "rate": "`configured` by the tenants file or an operator, `allowed` now, `sent` or `received` in the last minute.",
    "reason": "Reason for closing the connection, or for refusing the command.",
    "result": "Result: `done` or `dead` of a record, the delivery's status of a command.",
    "stage": "Stage that failed.",
    "state": "`sendable`: it can be worked on now. `held`: a limit, a retry or something else keeps it. `in use` or "
    "`waiting`: a call that has a connection slot, or not yet.",
    "tenant": "Id of the tenant.",
    "topic": "Kafka topic.",
}
"""The meaning of each label."""


TOP: Final = 20
"""Accounts of an app that have series of their own."""

Labels = tuple[str, ...]


class OwnSeries:
    """The series of one gauge that belong to one owner. Those that are not set again are removed."""

    def __init__(self, gauge: Gauge) -> None:
        self._gauge = gauge
        self._known: set[Labels] = set()

    def set(self, values: Mapping[Labels, float]) -> None:
        """Set these series; remove all others of the owner."""
        for labels in self._known.difference(values):
            self._gauge.remove(*labels)
        for labels, value in values.items():
            self._gauge.labels(*labels).set(value)
        self._known = set(values)


def exposition() -> bytes:
    """Return all metrics of this process in Prometheus' text format."""
    return generate_latest(REGISTRY)
