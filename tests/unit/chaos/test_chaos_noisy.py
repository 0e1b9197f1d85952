"""The noisy neighbours of a chaos run: their traffic, their places, and the plan of their troubles."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import replace
from itertools import groupby, pairwise
from pathlib import Path

from chaos.accounts import ABSENT, HANGING, HOT, NOISY, NUMBERS, RAISING, Setup, write_accounts, write_tenants
from chaos.noisy import BURST, SPEAKER, all_traffic
from chaos.options import Options
from chaos.plan import TROUBLES, Act, Fault, plan
from chaos.stack import Stack
from chaos.traffic import Posting, traffic
from chaos.webhooks import Contact, Message
from pipeline.local.services import PARTITIONS
from pipeline.runtime.flows.in_flight import MAX_UNFINISHED
from pipeline.runtime.kafka.partitions import partition_of
from pipeline.sandbox.config import load_accounts
from pipeline.tenants import load_tenants
from pipeline.topics.keys import account_key

OPTIONS = Options(seconds=60, rate=50, contacts=50, noisy=True)
POSTINGS = list(all_traffic(OPTIONS))


def new(postings: Iterable[Posting]) -> list[Message]:
    """All messages, each once."""
    return list(dict.fromkeys(message for posting in postings for message in posting.messages))


def test_half_of_all_messages_are_of_the_hot_conversation() -> None:
    """A run would call a conversation hot that has no more than others, and prove nothing of fair turns."""
    inputs = [message for message in new(POSTINGS) if not message.aside]
    hot = [message for message in inputs if message.contact == SPEAKER]
    assert 2 * len(hot) == len(inputs) > 8_000
    assert {message.contact.number for message in inputs} == {*NUMBERS, *NOISY}


def test_a_burst_is_more_than_the_hot_conversation_may_hold_of_the_window() -> None:
    """Nothing would have to be parked, however slow its handler is."""
    assert BURST > MAX_UNFINISHED / 2
    hot = [posting for posting in POSTINGS if posting.contacts == {SPEAKER}]
    bursts = [list(group) for _, group in groupby(hot, key=lambda posting: posting.at)]
    inputs = [sum(not message.aside for posting in burst for message in posting.messages) for burst in bursts]
    assert len(inputs) > 5 and all(count >= BURST for count in inputs[:-1])


def test_the_light_tenants_get_what_they_get_without_neighbours() -> None:
    """Their waits beside the noisy ones and alone could not be compared."""
    light = [posting for posting in POSTINGS if {contact.number for contact in posting.contacts} <= {*NUMBERS}]
    assert light == list(traffic(OPTIONS)) == list(all_traffic(replace(OPTIONS, noisy=False)))


def test_everything_comes_in_order_of_time_and_each_contact_counts_from_0() -> None:
    """The driver would post late, or the count of effects would read a gap as a loss."""
    times = [posting.at for posting in POSTINGS]
    assert times == sorted(times)
    places: dict[Contact, list[int]] = defaultdict(list)
    for message in new(POSTINGS):
        if not message.aside:
            places[message.contact].append(message.place)
    assert all(found == list(range(len(found))) for found in places.values())


def test_crashing_messages_go_to_light_and_noisy_tenants_each_with_its_own_id() -> None:
    """No killer would be among parked records, or two would be counted as one."""
    crashing = [message for message in new(all_traffic(replace(OPTIONS, crashers=16))) if message.crashes]
    assert len({message.id for message in crashing}) == len(crashing) == 16
    noisy = {message.contact.number.tenant for message in crashing} - {number.tenant for number in NUMBERS}
    assert noisy == {number.tenant for number in NOISY}


def test_every_noisy_number_is_on_the_partition_of_a_light_one() -> None:
    """Its backlog would be in nobody's way: an account that has a partition for itself is never parked."""
    light, noisy = (
        {partition_of(account_key("cloud", number.id).encode(), int(PARTITIONS)) for number in numbers}
        for numbers in (NUMBERS, NOISY)
    )
    assert noisy <= light


def test_the_pipeline_and_the_sandbox_know_the_noisy_numbers(tmp_path: Path) -> None:
    """Their webhooks would become dead letters, or all their sends would go past the gateways."""
    stack = Stack(tmp_path, OPTIONS)
    tenants = load_tenants(tmp_path / "tenants.yaml")
    for number in (ABSENT, *HANGING):
        account = tenants.account("cloud", number.id)
        assert account and account.base_url == f"http://127.0.0.1:{stack.gateways[number.tenant]}"
    owner = tenants.owner("cloud", RAISING.id)
    assert owner and owner.handler == "chaos.raising.RaisingHandler"
    hot = tenants.account("cloud", HOT.id)
    assert hot and hot.base_url == stack.sandbox_url
    assert [account.id for account in load_accounts(tmp_path / "accounts.json")] == [n.id for n in (*NUMBERS, *NOISY)]


def test_a_run_without_noisy_neighbours_has_none(tmp_path: Path) -> None:
    """Runs of before could not be had again by their seeds."""
    write_tenants(tmp_path / "alone.yaml", "http://127.0.0.1:1")
    write_accounts(tmp_path / "alone.json")
    Stack(tmp_path, replace(OPTIONS, noisy=False))
    assert Setup().numbers == NUMBERS
    assert load_accounts(tmp_path / "accounts.json") == load_accounts(tmp_path / "alone.json")
    assert {tenant.id for tenant in load_tenants(tmp_path / "tenants.yaml")} == {number.tenant for number in NUMBERS}
    assert not [fault for fault in plan(replace(OPTIONS, noisy=False)) if fault.act in TROUBLES]


def test_the_troubles_are_there_all_at_once_and_over_before_the_end() -> None:
    """What one of them leaves to the others, or what comes back, would not be seen."""
    for seed in range(20):
        options = replace(OPTIONS, seed=seed, seconds=300)
        faults = [fault for fault in plan(options) if fault.act in TROUBLES]
        begins, ends = _spans(faults)
        assert set(begins) == set(ends) == {ABSENT.tenant, RAISING.tenant, HANGING[0].tenant}
        assert max(begins.values()) < min(ends.values()) <= max(ends.values()) <= 0.7 * options.seconds
        assert ends[ABSENT.tenant] - begins[ABSENT.tenant] > options.seconds / 3
        others = [fault for fault in plan(options) if fault.act not in TROUBLES]
        assert others == plan(replace(options, noisy=False))


def test_a_gateway_refuses_then_answers_503() -> None:
    """Only one of the two ways of being away would be tried."""
    acts = [fault.act for fault in plan(OPTIONS) if fault.target == ABSENT.tenant]
    assert acts == [Act.REFUSE, Act.UNAVAILABLE, Act.MEND]
    first, second, _ = [fault for fault in plan(OPTIONS) if fault.target == ABSENT.tenant]
    assert all(earlier.at < later.at for earlier, later in pairwise([first, second]))


def _spans(faults: list[Fault]) -> tuple[dict[str, float], dict[str, float]]:
    begins: dict[str, float] = {}
    ends: dict[str, float] = {}
    for fault in faults:
        begins.setdefault(fault.target, fault.at)
        ends[fault.target] = fault.at
    return begins, ends
