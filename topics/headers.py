"""The names of the Kafka headers. All values are UTF-8; times are ms since the epoch."""

from typing import Final

WEBHOOK_ID: Final = "webhook-id"
"""The same for every slice and every identical redelivery of one webhook."""
SLICE: Final = "slice"
"""`i/k`: this record is part i of k of a webhook that mixed conversations."""
TENANT: Final = "tenant"
PROVIDER: Final = "provider"
ACCOUNT: Final = "account"
RECEIVED_AT: Final = "received-at"
TRACEPARENT: Final = "traceparent"

VERSION: Final = "version"
"""The version of the record's format that a reader must know; a record without it has version 1."""

EVENT_ID: Final = "event-id"
EVENT_TYPE: Final = "event-type"
"""The kind of event: message, status, error, account, api or unknown. Its type is in the record."""
STALE: Final = "stale"
"""On an event that is too old to be handled: its age in seconds when its webhook arrived."""
REDRIVEN: Final = "redriven"
"""On a record that was redriven, with the time of that: it is handled whatever its age."""
REDRIVEN_FOR: Final = "redriven-for"
"""Beside it: the stage that failed. Other consumers of the topic have processed the record, or have a dead letter."""
COMMAND_ID: Final = "command-id"

ERROR_TYPE: Final = "error-type"
ERROR_MESSAGE: Final = "error-message"
STAGE: Final = "stage"
ATTEMPTS: Final = "attempts"
ORIGIN_TOPIC: Final = "origin-topic"
ORIGIN_PARTITION: Final = "origin-partition"
ORIGIN_OFFSET: Final = "origin-offset"
FAILED_AT: Final = "failed-at"
RAISED_AT: Final = "raised-at"
"""On a dead letter, in front of `REASON`: file, line and function of its error; empty if it was not raised.

Versions that do not know it read it as a header of the record.
"""

REASON: Final = (
    ERROR_TYPE,
    ERROR_MESSAGE,
    STAGE,
    ATTEMPTS,
    ORIGIN_TOPIC,
    ORIGIN_PARTITION,
    ORIGIN_OFFSET,
    FAILED_AT,
)
"""Headers of a dead letter behind those of its record, in this order."""

GAP_START: Final = "gap-start"
"""On the dead letter of a gap: the first offset that was removed before it was processed."""
GAP_END: Final = "gap-end"
"""The offset behind the last one."""

DECISION: Final = "decision"
"""On the resolution of a dead letter: `redriven` or `dropped`."""
DECIDED_BY: Final = "decided-by"
DECIDED_AT: Final = "decided-at"
