"""The catalogue: what topics an installation has, and how each is set up."""

from __future__ import annotations

import re
from datetime import timedelta

from hypothesis import given
from hypothesis import strategies as st

from pipeline.topics.catalogue import MAX_MESSAGE_BYTES, STAGES, Topic, catalogue, changelog, events
from pipeline.topics.dead_letters import REASON_BYTES

WEEK = timedelta(days=7)
PARKED = {"handlers-default-parked-changelog", "messenger-parked-changelog"}
"""They hold records as a whole, with what says where they came from."""
CONTACTS = "messenger-contacts-changelog"


def of(*lanes: str, dedup_ttl: timedelta = WEEK, outcome_ttl: timedelta = WEEK) -> dict[str, Topic]:
    return {topic.name: topic for topic in catalogue(lanes, dedup_ttl=dedup_ttl, outcome_ttl=outcome_ttl)}


def test_every_fixed_name_is_there() -> None:
    """Consumers outside the project read these topics by name."""
    commands = {f"commands.{name}" for name in ("interactive", "bulk", "outcomes", "receipts")}
    fixed = {"webhooks.raw", "events.default", "installation", "uploads", "controls"} | commands
    changelogs = {"intake-seen-changelog", "messenger-sent-changelog", CONTACTS} | PARKED
    assert set(of("default")) == fixed | changelogs | {f"dead-letters.{stage}" for stage in STAGES}


def test_each_lane_has_its_topic() -> None:
    """A tenant on a lane of its own would have its events refused by the broker."""
    assert {"events.default", "events.gold"} <= set(of("default", "gold"))


def test_changelogs_outlive_their_rows() -> None:
    """A worker without its volume would rebuild a table with rows missing, and send twice."""
    topics = of("default", dedup_ttl=timedelta(days=2), outcome_ttl=timedelta(hours=6))
    assert topics["intake-seen-changelog"].retention > timedelta(days=2)
    assert topics["messenger-sent-changelog"].retention > timedelta(hours=6)


def test_commands_are_kept_until_they_have_expired() -> None:
    """A tenant that lets its campaigns wait for two weeks would lose them to retention after one."""
    long = catalogue(["default"], dedup_ttl=WEEK, outcome_ttl=WEEK, command_retention=timedelta(days=15))
    kept = {topic.name: topic.retention for topic in long}
    assert (kept["commands.bulk"], kept["commands.interactive"]) == (timedelta(days=15),) * 2
    assert kept["commands.outcomes"] == WEEK
    assert of("default")["commands.bulk"].retention == WEEK


def test_only_changelogs_controls_and_the_installations_records_are_compacted() -> None:
    """Compaction of events would keep one event a conversation and lose the rest."""
    compacted = {name for name, topic in of("default").items() if "compact" in topic.cleanup}
    wanted = {"intake-seen-changelog", "messenger-sent-changelog", CONTACTS, "installation", "controls"}
    assert compacted == wanted | PARKED
    assert of("default")[CONTACTS].cleanup == "compact", "an opt-out would expire"
    assert {of("default")[name].cleanup for name in PARKED} == {"compact"}, "a parked record would expire unseen"
    assert of("default")["installation"].cleanup == "compact", "with delete the recorded partition count would expire"
    assert of("default")["controls"].cleanup == "compact", "with delete an account would send again after a week"
    assert changelog("a", "t", WEEK).cleanup == "compact,delete", "without delete an expired row is kept for ever"


def test_dead_letters_stay_longer_than_what_they_came_from() -> None:
    """A failure found after a holiday could not be re-driven."""
    topics = of("default")
    assert topics["dead-letters.parse"].retention > topics["webhooks.raw"].retention


def test_dead_letters_have_room_for_the_largest_record_and_its_reason() -> None:
    """The largest of messages, once it fails, would fit nowhere and hold up its partition."""
    topics = of("default")
    letters = {name for name in topics if name.startswith("dead-letters.")}
    most = max(topic.max_message_bytes for name, topic in topics.items() if name not in letters | PARKED)
    assert all(topics[name].max_message_bytes == most + REASON_BYTES for name in letters | PARKED)


def test_configuration_is_spelled_as_the_broker_spells_it() -> None:
    """`topics check` compares text, and would report differences that are none."""
    assert events("default").config() == {
        "cleanup.policy": "delete",
        "retention.ms": "604800000",
        "max.message.bytes": str(MAX_MESSAGE_BYTES),
    }


def test_every_keyed_topic_has_the_count_of_all() -> None:
    """A key would be on another partition of one topic than of the next, away from its rows."""
    assert {name for name, topic in of("default").items() if topic.partitions is not None} == {
        "installation",
        "controls",
    }


@given(st.sets(st.from_regex(r"[a-z0-9][a-z0-9_-]{0,62}", fullmatch=True)))
def test_every_lane_gives_a_name_that_kafka_takes(lanes: set[str]) -> None:
    """A lane that the tenants file allows could not be created, or two lanes would share a topic."""
    topics = catalogue(lanes, dedup_ttl=WEEK, outcome_ttl=WEEK)
    names = [topic.name for topic in topics]
    assert len(set(names)) == len(names)
    assert all(re.fullmatch(r"[a-zA-Z0-9._-]{1,249}", name) for name in names)
    assert all(topic.purpose and topic.keyed_by for topic in topics)
