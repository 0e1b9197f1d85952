"""A chaos run with noisy neighbours that was none: it fails, and says what did not happen."""

from __future__ import annotations

from pathlib import Path

import pytest

from chaos.accounts import ABSENT, HANGING, NUMBERS, RAISING
from chaos.driver import Driver
from chaos.gateway import Gateway
from chaos.noisy import SPEAKER
from chaos.observer import HANDLERS, Observer, samples
from chaos.options import Options
from chaos.raising import BROKEN, UNAVAILABLE
from chaos.stack import Stack
from chaos.tested import untested
from chaos.troubles import Troubles
from chaos.webhooks import Contact, Message
from pipeline.topics.catalogue import MESSENGER

LIGHT = Contact(NUMBERS[0], "15550000001")
TROUBLED = [Contact(number, "15550000002") for number in (RAISING, ABSENT, HANGING[0])]


class Observed(Observer):
    """What an observer of a good run knows."""

    def __init__(self, stack: Stack) -> None:
        super().__init__(stack)
        self.most_parked = {(HANDLERS, "hot"): 300, (HANDLERS, "raising"): 5, (MESSENGER, "absent"): 5}
        self._counts = {(1, HANDLERS): 300.0}


class Scene:
    """A run in which everything happened."""

    def __init__(self, directory: Path) -> None:
        self.driver = Driver("http://127.0.0.1:1")
        self.driver.accepted = dict.fromkeys([Message(LIGHT, 0, "0")], 10.0)
        self.driver.accepted |= {Message(contact, 0, "0"): 50.0 for contact in TROUBLED}
        self.driver.accepted |= {Message(SPEAKER, place, str(place)): 10.0 for place in range(4)}
        self.observer = Observed(Stack(directory, Options(noisy=True)))
        gateways = {number.tenant: Gateway(1, "http://127.0.0.1:1") for number in (ABSENT, HANGING[0])}
        gateways["absent"].refused = gateways["hanging"].unanswered = 1
        self.troubles = Troubles(gateways, directory / "raising", self.observer.most_parked)
        self.troubles.raised = {BROKEN: 2, UNAVAILABLE: 2}
        self.troubles.began = {contact.number.tenant: 40.0 for contact in TROUBLED}
        self.troubles.ended = {contact.number.tenant: 60.0 for contact in TROUBLED}

    def untested(self) -> list[str]:
        return untested(self.driver, self.troubles, self.observer)


@pytest.fixture
def scene(tmp_path: Path) -> Scene:
    return Scene(tmp_path)


def test_a_run_in_which_everything_happened_has_nothing_untested(scene: Scene) -> None:
    """Every run would fail for a trouble that it had."""
    assert not scene.untested()


def test_a_hot_conversation_of_which_nothing_was_parked_is_untested(scene: Scene) -> None:
    """A machine that is fast enough for it would pass for a pipeline that parks."""
    del scene.observer.most_parked[HANDLERS, "hot"]
    assert scene.untested() == ["no record of the hot conversation was parked"]
    scene.observer._counts.clear()
    assert "the handlers parked nothing" in scene.untested()


def test_less_than_half_of_all_inputs_is_not_hot(scene: Scene) -> None:
    """A driver that lost a burst would make the run easier than it says."""
    del scene.driver.accepted[Message(SPEAKER, 3, "3")]
    assert scene.untested() == ["the hot conversation had 3 of 7 inputs, less than half"]


@pytest.mark.parametrize("tenant", ["raising", "absent", "hanging"])
def test_a_trouble_that_nobody_met_is_untested(scene: Scene, tenant: str) -> None:
    """A tenant to which nobody wrote meanwhile would pass for one whose messages waited."""
    scene.troubles.began[tenant] = scene.troubles.ended[tenant] - 1
    assert scene.untested() == [f"{tenant}: no webhook came during its trouble"]


def test_a_gateway_or_a_hook_that_did_not_fail_is_untested(scene: Scene) -> None:
    """Sends that went past the gateways, or a hook that never read its switch, would pass."""
    scene.troubles.gateways["absent"].refused = scene.troubles.gateways["hanging"].unanswered = 0
    scene.troubles.raised = {BROKEN: 0, UNAVAILABLE: 0}
    assert [line.split(": ")[0] for line in scene.untested()] == ["raising", "raising", "absent", "hanging"]


def test_a_trouble_for_which_nothing_was_parked_is_untested(scene: Scene) -> None:
    """A tenant whose records kept their places would pass for one that stands in nobody's way."""
    scene.observer.most_parked.clear()
    scene.observer.most_parked[HANDLERS, "hot"] = 300
    assert scene.untested() == [
        f"raising: the app {HANDLERS} parked nothing of it",
        f"absent: the app {MESSENGER} parked nothing of it",
    ]


def test_only_the_metrics_that_count_are_read() -> None:
    """A renamed metric, or a value that can't be read, would be a run without parked records."""
    text = (
        "# HELP pipeline_parked_total Records\n"
        'pipeline_parked_total{app="messenger",topic="commands.bulk"} 3.0\n'
        'pipeline_parked_created{app="messenger",topic="commands.bulk"} 1.7e+09\n'
        'pipeline_tenant_breaker_open{app="handlers-default",tenant="raising"} 1.0\n'
    )
    assert list(samples(text)) == [
        ("pipeline_parked_total", {"app": "messenger", "topic": "commands.bulk"}, 3.0),
        ("pipeline_tenant_breaker_open", {"app": "handlers-default", "tenant": "raising"}, 1.0),
    ]
