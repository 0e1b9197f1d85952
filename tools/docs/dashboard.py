"""`docs/dashboard.json`: a Grafana dashboard of the whole pipeline, made from the catalogue of metrics.

Every metric is in a panel, and its text in the catalogue is the panel's description.
"""

from __future__ import annotations

import json
from typing import Final

from pipeline import metrics as m
from tools.docs.grafana import Query as Q
from tools.docs.grafana import Row, dashboard, panel, stat

OVERVIEW: Final = Row(
    "Overview",
    [
        stat(Q(m.WEBHOOKS, where='answer="503"', is_total=True), title="Webhooks answered 503"),
        stat(Q(m.LAG_SECONDS, gauge="max", where='state="sendable"'), title="Oldest sendable record", bad_from=60),
        stat(Q(m.DEAD_LETTERS, is_total=True), title="Dead letters"),
        stat(Q(m.BREAKER_OPEN), title="Stopped flows"),
        stat(Q(m.ACCOUNTS_NEEDING_ATTENTION), title="Accounts that need a person"),
        stat(Q(m.RETENTION_USED, gauge="max"), title="Retention used", bad_from=0.5),
        panel(Q(m.WEBHOOKS, ("answer",)), title="Webhooks by answer"),
        panel(Q(m.LAG_RECORDS, ("app", "state")), title="Lag"),
        panel(Q(m.DELIVERIES, ("result",)), title="Attempts at commands"),
    ],
    collapsed=False,
)
LIMITS: Final = Row(
    "Limits of accounts",
    [
        panel(Q(m.WAITING_RECORDS, ("app", "held_by")), title="Waiting records, by what holds them"),
        panel(Q(m.ACCOUNTS_HELD, ("app", "held_by")), title="Accounts with waiting records"),
        panel(Q(m.HELD_SECONDS, ("app", "held_by"), gauge="min"), title="Until the first of them is free"),
        panel(Q(m.ALLOWANCE_USED, ("app", "partition"), gauge="min"), title="Allowance used, by partition"),
        panel(Q(m.THROTTLES, ("tenant", "provider")), title="Throttles"),
        panel(Q(m.ACCOUNTS_LOWERED, ("provider",)), title="Accounts at a learnt limit"),
        panel(Q(m.TOP_WAITING_RECORDS, ("account", "held_by")), title="Top accounts: waiting records"),
        panel(Q(m.TOP_HELD_SECONDS, ("account", "held_by"), gauge="min"), title="Top accounts: until they are free"),
        panel(Q(m.TOP_LIMIT_USED, ("account", "limit"), gauge="max"), title="Top accounts: limits used"),
        panel(Q(m.TOP_RATE, ("account", "rate"), gauge="max"), title="Top accounts: messages per second"),
        panel(Q(m.TOP_THROTTLES, ("account",)), title="Top accounts: throttles"),
        panel(Q(m.TOP_FAILED_OUTCOMES, ("account", "code")), title="Top accounts: failed outcomes"),
    ],
)
SENDS: Final = Row(
    "Sends",
    [
        panel(Q(m.DELIVERIES, ("tenant", "result")), title="Attempts, by tenant"),
        panel(Q(m.DELIVERY_SECONDS, ("provider",)), title="Duration of calls, 99th percentile"),
        panel(Q(m.SEND_CONNECTIONS, ("provider", "state")), title="Connection slots"),
        panel(Q(m.ANSWER_CODES, ("provider", "code")), title="Answers with an error"),
        panel(Q(m.FAILED_OUTCOMES, ("provider", "code")), title="Failed outcomes"),
        panel(Q(m.ACCOUNTS_NEEDING_ATTENTION, ("provider", "code")), title="Accounts that need a person"),
        panel(Q(m.EXPIRED, ("tenant", "provider")), title="Expired commands"),
        panel(Q(m.REFUSED, ("tenant", "reason")), title="Refused commands"),
        panel(Q(m.SEND_BREAKERS_OPEN, ("provider", "kind")), title="Accounts and hosts without an answer"),
        panel(Q(m.CONTROLS, ("control",), gauge="max"), title="Pauses and limits of operators"),
    ],
)
INGRESS: Final = Row(
    "Ingress",
    [
        panel(Q(m.WEBHOOKS, ("provider", "answer")), title="Webhooks"),
        panel(Q(m.WEBHOOK_SECONDS, ("provider",)), title="Time to the answer, 99th percentile"),
        panel(Q(m.DELIVERY_GAP, ("provider",)), title="From the event to its webhook, 99th percentile"),
        panel(Q(m.WEBHOOKS_WAITING), title="Waiting for the broker"),
        panel(Q(m.CONNECTIONS), title="Open connections"),
        panel(Q(m.CONNECTIONS_CLOSED, ("reason",)), title="Closed connections"),
        panel(Q(m.OVER_QUOTA, ("tenant", "quota")), title="Over a quota"),
        panel(Q(m.IGNORED_FIELDS, ("provider", "kind")), title="Ignored fields"),
        panel(Q(m.DUPLICATES, ("provider",)), title="Duplicates"),
    ],
)
FLOWS: Final = Row(
    "Flows",
    [
        panel(Q(m.RECORDS, ("app", "result")), title="Records"),
        panel(Q(m.OUTPUTS, ("topic",)), title="Published records"),
        panel(Q(m.BATCH_SECONDS, ("app",)), title="Duration of batches, 99th percentile"),
        panel(Q(m.IN_PROGRESS, ("app",)), title="Records in progress"),
        panel(Q(m.HANDLED, ("tenant", "kind")), title="Handled events"),
        panel(Q(m.STALE, ("tenant",)), title="Stale messages"),
        panel(Q(m.RETRIES, ("stage", "error")), title="Retries"),
        panel(Q(m.DEAD_LETTERS, ("stage", "error")), title="Dead letters"),
        panel(Q(m.BREAKER_OPEN, ("app",)), title="Stopped flows"),
        panel(Q(m.TENANT_BREAKER_OPEN, ("app", "tenant")), title="Failing tenants"),
        panel(Q(m.COMMIT_AGE, ("app",), gauge="max"), title="Longest time without progress"),
        panel(Q(m.SUSPECT_PARTITIONS, ("app",)), title="Partitions with a suspect"),
    ],
)
LAG: Final = Row(
    "Lag, retention and parking",
    [
        panel(Q(m.LAG_RECORDS, ("app", "topic", "state")), title="Lag"),
        panel(Q(m.LAG_SECONDS, ("app", "topic", "state"), gauge="max"), title="Age of the oldest record"),
        panel(Q(m.RETENTION_USED, ("app", "topic"), gauge="max"), title="Retention used"),
        panel(Q(m.GAP_RECORDS, ("app", "topic")), title="Records removed before they were processed"),
        panel(Q(m.PARKED, ("app", "topic")), title="Records that are parked"),
        panel(Q(m.PARKED_RECORDS, ("app", "topic")), title="Parked records"),
        panel(Q(m.PARKED_BYTES, ("app", "topic")), title="Their bytes"),
        panel(Q(m.PARKED_SECONDS, ("app", "topic"), gauge="max"), title="Age of the oldest one"),
        panel(Q(m.PARKING_USED, ("app", "topic"), gauge="max"), title="Room for parked records that is used"),
        panel(Q(m.TOP_RECORDS, ("app", "account")), title="Top accounts: parked records"),
        panel(Q(m.TOP_SECONDS, ("app", "account"), gauge="max"), title="Top accounts: age of the oldest one"),
    ],
)
ROWS: Final = (OVERVIEW, LIMITS, SENDS, INGRESS, FLOWS, LAG)


def page() -> str:
    """Return `docs/dashboard.json`."""
    return json.dumps(dashboard("whatsapp-pipeline", "WhatsApp Pipeline", ROWS), indent=2, ensure_ascii=False) + "\n"
