"""Topic administration without a broker: what is compared, and what a person reads when there is none."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Awaitable, Callable
from typing import NamedTuple

import pytest

from pipeline.errors import ConfigurationError, PipelineError, Unavailable
from pipeline.runtime.kafka import admin, installation, partition_counts
from tests.support.ports import free_ports
from tests.support.waiting import HANG


class Wanted(NamedTuple):
    name: str
    partitions: int | None = None

    def config(self) -> dict[str, str]:
        return {"cleanup.policy": "compact,delete", "retention.ms": "1000"}


QUESTIONS: dict[str, Callable[[str], Awaitable[object]]] = {
    "describe": lambda bootstrap: admin.describe(bootstrap, ["a"]),
    "create": lambda bootstrap: admin.create(bootstrap, [Wanted("a")], 8, 1),
    "check": lambda bootstrap: admin.check(bootstrap, [Wanted("a")], 8, 1),
    "unsafe": lambda bootstrap: admin.unsafe_settings(bootstrap, ["a"], 1),
    "retentions": lambda bootstrap: admin.retentions(bootstrap, ["a"]),
    "installation": installation.read,
    "require": lambda bootstrap: partition_counts.require_topics(bootstrap, ["a"], 8),
    "count": admin.count_brokers,
}


async def _ask(question: str, bootstrap: str) -> None:
    await QUESTIONS[question](bootstrap)


async def _ask_silence(question: str) -> None:
    """Asks a server that takes connections and never says a word."""
    with socket.create_server(("127.0.0.1", 0)) as silent:
        await _ask(question, f"127.0.0.1:{silent.getsockname()[1]}")


def one_line(error: PipelineError) -> str:
    assert len(str(error).splitlines()) == 1
    return str(error)


@pytest.mark.parametrize("question", QUESTIONS)
def test_no_broker_is_one_line_at_once(monkeypatch: pytest.MonkeyPatch, question: str) -> None:
    """An operator would wait for a client that retries for ever, or read a traceback."""
    monkeypatch.setattr(admin, "TIMEOUT", 2 * HANG)
    bootstrap = f"127.0.0.1:{free_ports()}"
    with pytest.raises(Unavailable) as caught:
        asyncio.run(asyncio.wait_for(_ask(question, bootstrap), HANG))
    assert f"can't reach Kafka at {bootstrap} (no connection)" in one_line(caught.value)
    assert "PIPELINE_KAFKA" in str(caught.value)


@pytest.mark.parametrize("question", QUESTIONS)
def test_a_broker_that_says_nothing_is_given_up(monkeypatch: pytest.MonkeyPatch, question: str) -> None:
    """A firewall that swallows packets would hang the command, the worker's start and the doctor."""
    monkeypatch.setattr(admin, "TIMEOUT", 0.2)
    with pytest.raises(Unavailable, match=r"can't reach Kafka at .* \(no answer in time\)"):
        asyncio.run(asyncio.wait_for(_ask_silence(question), HANG))


@pytest.mark.parametrize("bootstrap", ["a:b", "http://broker:9092", "broker:"])
def test_an_address_that_is_none_names_the_setting(bootstrap: str) -> None:
    """An operator would look for a broken broker where a variable is mistyped."""
    with pytest.raises(ConfigurationError, match="PIPELINE_KAFKA") as caught:
        asyncio.run(admin.count_brokers(bootstrap))
    one_line(caught.value)


def test_three_replicas_need_two_in_sync() -> None:
    """An acknowledgement would mean one copy, and a lost broker a lost webhook that was answered 200."""
    assert admin._config(Wanted("a"), 3)["min.insync.replicas"] == "2"
    assert admin._config(Wanted("a"), 1)["min.insync.replicas"] == "1"


def test_what_loses_acknowledged_records_is_pinned_whatever_the_broker_defaults_to() -> None:
    """A cluster that elects replicas which lack records, or removes by size, would lose webhooks answered 200."""
    config = admin._config(Wanted("a"), 3)
    assert config.items() >= {"unclean.leader.election.enable": "false", "retention.bytes": "-1"}.items()
    now = {"unclean.leader.election.enable": "true", "retention.bytes": "1073741824", "min.insync.replicas": "1"}
    assert [str(each) for each in admin._compare_config("a", admin.durability_config(3), now)] == [
        "a: min.insync.replicas is 1, should be 2",
        "a: unclean.leader.election.enable is true, should be false",
        "a: retention.bytes is 1073741824, should be -1",
    ]
    assert (
        admin._compare_config(
            "a", admin.durability_config(3), admin.durability_config(3) | {"min.insync.replicas": "3"}
        )
        == []
    )


def test_differences_name_what_is_and_what_should_be() -> None:
    """Whoever reads `topics check` could not tell which of the two sides to change."""
    there = admin.TopicDescription("a", partitions=8, replication=1)
    assert [str(each) for each in admin._compare(there, 48, 3)] == [
        "a: partitions is 8, should be 48",
        "a: replication is 1, should be 3",
    ]
    assert admin._compare(there, 8, 1) == []
    assert str(admin._missing("b")) == "b: missing"


def test_more_replicas_than_asked_for_are_fine() -> None:
    """A careful operator would be told to take copies away."""
    assert admin._compare(admin.TopicDescription("a", 8, 3), 8, 1) == []


def test_configuration_is_compared_by_meaning() -> None:
    """`delete,compact` would be reported for ever: brokers give lists in an order of their own."""
    wanted = Wanted("a").config()
    assert admin._compare_config("a", wanted, {"cleanup.policy": "delete,compact", "retention.ms": "1000"}) == []
    found = admin._compare_config("a", wanted, {"cleanup.policy": "compact"})
    assert [str(each) for each in found] == [
        "a: cleanup.policy is compact, should be compact,delete",
        "a: retention.ms is not set, should be 1000",
    ]
