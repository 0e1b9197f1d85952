"""The sandbox's limits over real HTTP: the answers of each provider, and how limits are set and read."""

from __future__ import annotations

import dataclasses
from typing import Any

import orjson
import pytest

from pipeline.sandbox.config import SAMPLE_ACCOUNTS
from pipeline.sandbox.limits import SandboxLimits
from tests.integration.sandbox_client import ACCOUNT, QUICK, TOKEN, Client, Ingress, with_both, with_sandbox
from tests.support.waiting import until

SECOND = dataclasses.replace(ACCOUNT, id="2", limits=SandboxLimits(messages_per_second=0.001, burst=2))
WASENDER, WAWP = SAMPLE_ACCOUNTS[1:3]
RATE_POLICY = "/v2/session/rate-limit"
WAWP_KEYS = {"instance_id": WAWP.id, "access_token": WAWP.token}


async def send_template(
    client: Client, to: str, endpoint: str = "messages", number: str = ACCOUNT.id
) -> tuple[int, Any]:
    template = {"name": "offer", "language": {"code": "en_US"}}
    body = {"messaging_product": "whatsapp", "to": to, "type": "template", "template": template}
    return await client.call("POST", f"/v23.0/{number}/{endpoint}", body, TOKEN)


async def limits_of(client: Client, account: str) -> dict[str, Any]:
    (found,) = [each for each in await client.get("limits") if each["account"] == account]
    return dict(found)


async def kinds(client: Client) -> list[tuple[str, str, int]]:
    return [(row["kind"], row["limit"], row["code"]) for row in await client.get("violations")]


def test_what_meta_refuses_by_whom_one_writes_fails_by_webhook() -> None:
    """Failures that come by webhook after a 200 would never be met, and a campaign to anybody would look good."""

    async def test(client: Client, ingress: Ingress) -> None:
        await client.faults(limits={"service_window": 86_400, "messaging_tier": 1, "marketing_templates": ["offer"]})
        await client.call("POST", "/_sandbox/receive", {"from": "15550003333", "text": "hi"})
        stop = {"from": "15550003333", "type": "user_preferences", "content": {"value": "stop"}}
        assert (await client.call("POST", "/_sandbox/receive", stop))[1]["message_ids"] == []
        answers = [await client.send("15550003333"), await client.send("15550001111")]
        answers += [await send_template(client, to) for to in ("15550001111", "15550002222", "15550003333")]
        assert [status for status, _ in answers] == [200] * 5
        assert await kinds(client) == [
            ("service_window", "service_window", 131047),
            ("messaging_tier", "messaging_tier", 131048),
            ("marketing_opt_out", "marketing_opt_out", 131050),
        ]
        await until(lambda: len(ingress.statuses) == 9)
        failed = [(row["recipient_id"], row["errors"][0]["code"]) for row in ingress.statuses if "errors" in row]
        assert sorted(failed) == [("15550001111", 131047), ("15550002222", 131048), ("15550003333", 131050)]

    with_both(test, statuses=QUICK)


def test_meta_may_refuse_them_with_the_answer() -> None:
    """A messenger would know only one of the two ways in which Meta says no."""

    async def test(client: Client) -> None:
        await client.faults(limits={"service_window": 86_400, "refuse_by": "answer"})
        status, answer = await client.send()
        assert (status, answer["error"]["code"]) == (400, 131047)
        assert await client.get("sent") == []

    with_sandbox(test)


def test_a_user_opts_out_with_a_webhook_and_back_in() -> None:
    """The pipeline would never hear that somebody wants no marketing, or that they want it again."""

    async def test(client: Client, ingress: Ingress) -> None:
        for value, refused in (("stop", 1), ("resume", 1)):
            asked = {"from": "15550001111", "user_id": "US.1", "type": "user_preferences", "content": {"value": value}}
            assert (await client.call("POST", "/_sandbox/receive", asked))[0] == 200
            (change,) = orjson.loads(ingress.bodies[-1])["entry"][0]["changes"]
            (told,) = change["value"]["user_preferences"]
            assert (change["field"], told["wa_id"], told["user_id"]) == ("user_preferences", "15550001111", "US.1")
            assert (told["category"], told["value"]) == ("marketing_messages", value)
            assert (await send_template(client, "15550001111", "marketing_messages"))[0] == 200
            assert len(await client.get("violations")) == refused

    with_both(test)


@pytest.mark.parametrize("content", [{"value": "perhaps"}, {}, [{"value": "stop"}]])
def test_a_preference_that_is_none_is_refused(content: object) -> None:
    """A misspelt opt-out would be counted as a message."""

    async def test(client: Client) -> None:
        asked = {"from": "15550001111", "type": "user_preferences", "content": content}
        status, answer = await client.call("POST", "/_sandbox/receive", asked)
        assert status == 400
        assert "'stop'" in answer["error"]
        gateway = asked | {"provider": "wasender", "content": {"value": "stop"}}
        assert (await client.call("POST", "/_sandbox/receive", gateway))[0] == 501

    with_sandbox(test)


def test_users_messages_are_counted_once_however_often_they_are_delivered() -> None:
    """A webhook that is repeated would cost the number's throughput again and again."""

    async def test(client: Client, ingress: Ingress) -> None:
        await client.faults(limits={"messages_per_second": 0.001, "burst": 4})
        received = {"from": "15550001111", "text": ["a", "b"], "repeat": 10}
        assert (await client.call("POST", "/_sandbox/receive", received))[0] == 200
        assert [(await client.send())[0] for _ in range(3)] == [200, 200, 400]

    with_both(test)


def test_each_account_has_its_own_limits_and_shows_them() -> None:
    """An upgraded number, or one in coexistence, could not be tried beside another; or nobody would see the limits."""

    async def test(client: Client) -> None:
        await client.faults(limits={"messages_per_second": None, "pair": "strict"})
        both = [
            [(await client.call("POST", f"/v23.0/{number}/messages", TEXT, TOKEN))[0] for _ in range(3)]
            for number in NUMBERS
        ]
        assert both == [[200] * 3, [200, 200, 400]]
        shown = await client.faults(account_limits={"2": {"burst": 3}})
        assert shown["account_limits"] == {"2": {"burst": 3}}
        shown = await client.faults(account_limits={"2": {"pair": "off"}})
        assert shown["account_limits"] == {"2": {"burst": 3, "pair": "off"}}
        first, second = [await limits_of(client, number) for number in NUMBERS]
        assert (first["messages_per_second"], first["pair"]) == (None, "debt")
        assert (second["messages_per_second"], second["burst"], second["pair"]) == (0.001, 3, "off")
        await client.call("DELETE", "/_sandbox/faults")
        assert (await limits_of(client, "2"))["burst"] == 2

    with_sandbox(test, accounts=(ACCOUNT, SECOND))


NUMBERS = (ACCOUNT.id, SECOND.id)
TEXT = {"messaging_product": "whatsapp", "to": "15550001111", "type": "text", "text": {"body": "hello"}}


@pytest.mark.parametrize("wrong", [{"account_limits": {"7": {}}}, {"upgrade": {"account": "7"}}])
def test_limits_of_an_account_that_is_none_are_refused(wrong: dict[str, object]) -> None:
    """A mistyped account would be tested without its limits."""

    async def test(client: Client) -> None:
        status, answer = await client.call("POST", "/_sandbox/faults", wrong)
        assert status == 400
        assert "add it to the accounts file" in answer["error"]

    with_sandbox(test)


def test_a_number_that_is_being_upgraded_answers_131057_and_is_faster_afterwards() -> None:
    """The minute in which Meta raises a number's throughput could not be tried."""

    async def test(client: Client) -> None:
        shown = await client.faults(upgrade={"account": "2", "seconds": 3600})
        assert shown["account_limits"] == {"2": {"messages_per_second": 1000.0}}
        path = "/v23.0/2/messages"
        status, answer = await client.call("POST", path, TEXT, TOKEN)
        assert (status, answer["error"]["code"]) == (503, 131057)
        assert (await client.send())[0] == 200
        assert await client.get("violations") == []
        await client.faults(upgrade={"account": "2", "seconds": 0, "messages_per_second": 500})
        assert (await client.call("POST", path, TEXT, TOKEN))[0] == 200
        assert (await limits_of(client, "2"))["messages_per_second"] == 500

    with_sandbox(test, accounts=(ACCOUNT, SECOND))


def test_answers_take_a_random_time_between_two() -> None:
    """A messenger that counts on equal latencies, and so on answers in order, would look good."""

    async def test(client: Client) -> None:
        shown = await client.faults(latency=0.01, latency_max=0.02)
        assert (shown["latency"], shown["latency_max"]) == (0.01, 0.02)
        assert (await client.send())[0] == 200

    with_sandbox(test)


def test_a_trial_is_refused_in_wasenders_words() -> None:
    """A messenger that obeys `retry_after` and the headers could not be tried."""
    trial = dataclasses.replace(WASENDER, plan="trial")

    async def test(client: Client) -> None:
        headers, body = {"Authorization": f"Bearer {WASENDER.token}"}, {"to": "+15550001111", "text": "hi"}
        answers = [await client.call("POST", "/api/send-message", body, headers) for _ in range(2)]
        assert [status for status, _ in answers] == [200, 429]
        words = "You are on a free trial. You can only send 1 message every 1 minute."
        assert answers[1][1] | {"retry_after": 0} == {"message": words, "retry_after": 0}
        assert await kinds(client) == [("messages_per_minute", "plan: trial", 429)]
        await client.faults(account_limits={WASENDER.id: {"messages_per_minute": None, "messages_per_day": None}})
        assert [(await client.call("POST", "/api/send-message", body, headers))[0] for _ in range(60)] == [200] * 60

    with_sandbox(test, accounts=(trial,))


def test_an_instances_rate_policy_is_read_changed_and_enforced() -> None:
    """A messenger that reads Wawp's policy at its start could not be tried, nor one that ignores it be caught."""

    async def test(client: Client) -> None:
        query = f"{RATE_POLICY}?instance_id={WAWP.id}&access_token={WAWP.token}"
        _, policy = await client.call("GET", query)
        assert (policy["policy_slug"], policy["limits"]["send_message_per_minute"]) == ("unlimited", None)
        status, policy = await client.call("PATCH", RATE_POLICY, WAWP_KEYS | {"policy_slug": "strict"})
        assert (status, policy["policy_slug"]) == (200, "strict")
        assert await client.call("GET", query) == (200, policy)
        limits = policy["limits"]
        shown = await limits_of(client, WAWP.id)
        assert limits["send_message_per_minute"] == shown["messages_per_minute"] == 5
        assert limits["send_message_daily_cap"] == shown["messages_per_day"] == 100
        assert limits["account_protection_seconds"] == shown["seconds_between"] == 10
        message = WAWP_KEYS | {"chatId": "15550001111@c.us", "message": "hi"}
        answers = [await client.call("POST", "/v2/send/text", message) for _ in range(2)]
        assert [status for status, _ in answers] == [200, 200]
        assert (answers[0][1]["fromMe"], answers[1][1]["status"]) == (True, False)
        assert await kinds(client) == [("seconds_between", "policy: strict", 429)]

    with_sandbox(test)


@pytest.mark.parametrize(
    ("change", "status", "code"),
    [
        ({"policy_slug": "gold"}, 403, "subscription_required"),
        ({}, 400, "missing_param"),
        ({"policy_slug": "strict", "access_token": "wrong"}, 401, "missing_access_token"),
    ],
)
def test_a_policy_that_cannot_be_is_refused(change: dict[str, str], status: int, code: str) -> None:
    """Whoever mistypes a policy would be left with the old one and not know it."""

    async def test(client: Client) -> None:
        got, answer = await client.call("PATCH", RATE_POLICY, WAWP_KEYS | change)
        assert (got, answer["code"]) == (status, code)

    with_sandbox(test)
