"""The sandbox's limits of accounts: which ones, of whom, and what they count."""

from __future__ import annotations

import pytest
from pydantic import ValidationError

from pipeline.sandbox.limits import ExceededLimit, LimitEnforcer, MessageKind, SandboxLimits
from pipeline.sandbox.limits.people import People

NUMBER = ("cloud", "106540352242922")
PERSON = "15550001111"
DAY = 86_400.0


def enforcer(**limits: object) -> LimitEnforcer:
    return LimitEnforcer(SandboxLimits.model_validate({"messages_per_second": None, "refuse_by": "answer"} | limits))


def exceeded(limiter: LimitEnforcer, to: str, now: float, kind: MessageKind = "free_form") -> str | None:
    over = limiter.check(*NUMBER, to, now, kind)
    return over and over.kind


def test_each_number_has_a_bucket_of_its_own() -> None:
    """One busy tenant's number would use up another's limit."""
    limiter = enforcer(messages_per_second=1)
    assert limiter.check("cloud", "1", PERSON, 0.0) is None
    assert limiter.check("cloud", "1", PERSON, 0.0) == ExceededLimit("messages_per_second", 1.0)
    assert limiter.check("cloud", "2", PERSON, 0.0) is None


def test_messages_of_users_use_up_the_throughput() -> None:
    """A number in the middle of a chat would be driven over Meta's limit, which counts both directions."""
    limiter = enforcer(messages_per_second=20)
    limiter.receive(*NUMBER, PERSON, 0.0, count=30)
    assert exceeded(limiter, PERSON, 0.5) == "messages_per_second"
    assert exceeded(limiter, PERSON, 0.55) is None
    alone = enforcer(messages_per_second=20, count_inbound=False)
    alone.receive(*NUMBER, PERSON, 0.0, count=30)
    assert exceeded(alone, PERSON, 0.0) is None


def test_the_pair_limit_is_off_unless_asked_for() -> None:
    """Loads on few recipients would fail in a sandbox that nobody told to limit pairs."""
    limiter = enforcer()
    assert all(limiter.check(*NUMBER, PERSON, 0.0) is None for _ in range(100))


@pytest.mark.parametrize("reading", ["bucket", "debt", "strict"])
def test_a_closed_pair_leaves_other_recipients_and_the_bucket_alone(reading: str) -> None:
    """A flood to one person would be counted against the messages to everybody else."""
    limiter = enforcer(messages_per_second=46, pair=reading)
    assert [exceeded(limiter, PERSON, 0.0) for _ in range(100)] == [None] * 45 + ["pair"] * 55
    assert exceeded(limiter, "15550002222", 0.0) is None


def test_both_names_of_a_person_are_one_pair() -> None:
    """A sender could write to someone twice as fast by turning from the phone number to the user id."""
    limiter = enforcer(pair="bucket")
    limiter.receive(*NUMBER, PERSON, 0.0, user_id="US.1")
    answers = [exceeded(limiter, to, 0.0) for to in [PERSON, "US.1"] * 23]
    assert answers == [None] * 45 + ["pair"]


def test_a_group_is_no_pair() -> None:
    """A group would be limited like one person, which Meta does not do."""
    limiter = enforcer(pair="bucket")
    assert [exceeded(limiter, "group", 0.0, "group") for _ in range(100)] == [None] * 100


def test_a_message_that_is_refused_counts_nowhere() -> None:
    """A sender that was refused by one limit would find the others used up."""
    limiter = enforcer(messages_per_minute=2, seconds_between=5)
    assert [exceeded(limiter, PERSON, now) for now in (0.0, 1.0, 5.0, 10.0, 60.0)] == [
        None,
        "seconds_between",
        None,
        "messages_per_minute",
        None,
    ]


def test_the_wait_is_that_of_the_longest_limit() -> None:
    """A trial that has sent its 50 would be told to try again in a minute, all day long."""
    limiter = enforcer(messages_per_minute=1, messages_per_day=2)
    assert limiter.check(*NUMBER, PERSON, 0.0) is None
    assert limiter.check(*NUMBER, PERSON, 30.0) == ExceededLimit("messages_per_minute", 30.0)
    assert limiter.check(*NUMBER, PERSON, 60.0) is None
    assert limiter.check(*NUMBER, PERSON, 100.0) == ExceededLimit("messages_per_day", DAY - 100)


def test_free_form_messages_need_a_message_of_the_user_within_the_window() -> None:
    """A message that Meta refuses with 131047 would be taken here."""
    limiter = enforcer(service_window=DAY)
    assert exceeded(limiter, PERSON, 0.0) == "service_window"
    assert exceeded(limiter, PERSON, 0.0, "template") is None
    limiter.receive(*NUMBER, PERSON, 10.0)
    assert exceeded(limiter, PERSON, 10.0 + DAY) is None
    assert exceeded(limiter, "15550002222", 10.0) == "service_window"
    assert limiter.check("cloud", "2", PERSON, 10.0) == ExceededLimit("service_window")
    assert exceeded(limiter, PERSON, 10.001 + DAY) == "service_window"


def test_a_tier_counts_people_and_not_messages() -> None:
    """A campaign to more people than the tier allows would pass, or one within it would be stopped."""
    limiter = enforcer(messaging_tier=2)
    answers = [exceeded(limiter, to, 0.0, "template") for to in ("a", "b", "a", "c", "b")]
    assert answers == [None, None, None, "messaging_tier", None]
    assert exceeded(limiter, "c", 0.0) is None


def test_a_person_leaves_the_tier_a_day_after_the_last_template() -> None:
    """A business could use its tier only once, or twice in one day."""
    limiter = enforcer(messaging_tier=1)
    assert exceeded(limiter, "a", 0.0, "template") is None
    assert exceeded(limiter, "a", 100.0, "template") is None
    assert limiter.check(*NUMBER, "b", DAY, "marketing") == ExceededLimit("messaging_tier", 100.0)
    assert exceeded(limiter, "b", DAY + 100, "template") is None


def test_a_person_who_is_written_to_again_does_not_keep_the_others_in_the_tier() -> None:
    """One person with a daily template would hold up the places of all who came after."""
    limiter = enforcer(messaging_tier=2)
    answers = [
        exceeded(limiter, to, now, "template") for to, now in (("a", 0.0), ("b", 1.0), ("a", 100.0), ("c", DAY + 1))
    ]
    assert answers == [None] * 4


def test_answers_to_people_who_wrote_are_outside_the_tier() -> None:
    """A busy support desk would use up the allowance of the campaigns."""
    limiter = enforcer(messaging_tier=1)
    for person in range(10):
        limiter.receive(*NUMBER, str(person), 0.0)
        assert exceeded(limiter, str(person), DAY, "template") is None
    assert [exceeded(limiter, to, DAY, "template") for to in ("a", "b")] == [None, "messaging_tier"]


def test_numbers_of_one_business_share_its_tier() -> None:
    """A business could reach twice as many people with a second number."""
    limits = SandboxLimits(messaging_tier=1, refuse_by="answer")
    limiter = LimitEnforcer(
        limits, businesses={("cloud", "1"): "business", ("cloud", "2"): "business", ("cloud", "3"): None}
    )
    assert limiter.check("cloud", "1", "a", 0.0, "template") is None
    assert limiter.check("cloud", "2", "b", 0.0, "template") is not None
    assert limiter.check("cloud", "3", "b", 0.0, "template") is None


def test_marketing_stops_for_those_who_opted_out_and_nothing_else() -> None:
    """A campaign would go on to people who asked to be left alone, or they would miss their orders."""
    limiter = enforcer()
    limiter.prefer(*NUMBER, PERSON, 0.0, marketing=False, user_id="US.1")
    assert [exceeded(limiter, to, 0.0, "marketing") for to in (PERSON, "US.1")] == ["marketing_opt_out"] * 2
    assert exceeded(limiter, PERSON, 0.0, "template") is None
    assert exceeded(limiter, PERSON, 0.0) is None
    limiter.prefer(*NUMBER, PERSON, 0.0, marketing=True)
    assert exceeded(limiter, PERSON, 0.0, "marketing") is None


def test_a_message_that_fails_later_was_taken_and_counts() -> None:
    """A sender could send without end what fails by webhook, as if it cost nothing."""
    limiter = enforcer(messages_per_second=1, messaging_tier=1, service_window=DAY, refuse_by="status")
    assert limiter.check(*NUMBER, PERSON, 0.0) == ExceededLimit("service_window", told_by="status")
    assert limiter.check(*NUMBER, PERSON, 0.0) == ExceededLimit("messages_per_second", 1.0)
    assert limiter.check(*NUMBER, "a", 1.0, "template") is None
    assert limiter.check(*NUMBER, "b", 2.0, "template") == ExceededLimit("messaging_tier", DAY - 1, "status")
    assert limiter.check(*NUMBER, "a", 3.0, "template") is None
    assert limiter.check(*NUMBER, "b", 4.0, "template") == ExceededLimit("messaging_tier", DAY - 1, "status")


def test_an_account_has_limits_of_its_own() -> None:
    """A number that was upgraded could not be tried beside one that was not."""
    limiter = LimitEnforcer(
        SandboxLimits(messages_per_second=1), {("cloud", "2"): SandboxLimits(messages_per_second=2)}
    )
    answers = [[limiter.check("cloud", number, PERSON, 0.0) is None for _ in range(3)] for number in ("1", "2")]
    assert answers == [[True, False, False], [True, True, False]]
    assert limiter.limits("waha", "2") == SandboxLimits(messages_per_second=1)
    limiter.set_own("cloud", "1", SandboxLimits(pair="bucket"))
    assert limiter.limits("cloud", "1") == SandboxLimits(messages_per_second=1, pair="bucket")
    assert limiter.check("cloud", "2", PERSON, 0.0) is not None


def test_new_limits_hold_at_once_and_what_is_known_of_people_stays() -> None:
    """A test that changes the limits would still meet the bucket of the old ones, or nobody would have written."""
    limiter = enforcer(messages_per_second=1, pair="bucket")
    limiter.receive(*NUMBER, PERSON, 0.0)
    limiter.prefer(*NUMBER, PERSON, 0.0, marketing=False)
    limiter.configure(SandboxLimits(messages_per_second=2, service_window=DAY))
    assert [exceeded(limiter, PERSON, 0.0) for _ in range(3)] == [None, None, "messages_per_second"]
    assert exceeded(limiter, PERSON, 1.0, "marketing") == "marketing_opt_out"


def test_what_is_known_of_people_is_bounded() -> None:
    """A load of millions of people would fill the sandbox's memory."""
    people = People(cap=10)
    for number in range(1000):
        people.wrote("a", str(number), float(number))
        people.prefers("a", str(number), marketing=False)
        people.named("a", str(number), f"US.{number}")
    people.wrote("a", "990", 1000.0)
    people.wrote("a", "1000", 1000.0)
    assert [len(each) for each in (people._wrote, people._opted_out, people._phones)] == [10] * 3
    assert people.since_last_message("a", "990", 1000.0) == 0
    assert people.since_last_message("a", "991", 1000.0) == float("inf")
    assert [people.person("a", f"US.{number}") for number in (1, 999)] == ["US.1", "999"]


def test_a_limit_below_one_a_second_still_lets_messages_through() -> None:
    """A very slow number would never be allowed its first message."""
    assert SandboxLimits(messages_per_second=0.1).capacity == 1


@pytest.mark.parametrize(
    "wrong",
    [
        {"messages_per_second": 0},
        {"burst": 0},
        {"pair": "loose"},
        {"pair": {}},
        {"per_minute": 3},
        {"jitter": 5},
        {"messaging_tier": 100_001},
        {"refuse_by": "never"},
    ],
)
def test_limits_that_mean_nothing_are_refused(wrong: dict[str, object]) -> None:
    """A misspelt limit would silently leave the sandbox without it."""
    with pytest.raises(ValidationError):
        SandboxLimits.model_validate(wrong)
