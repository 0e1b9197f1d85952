"""What the sandbox posts: statuses of what was sent, users' messages, the handshake. The ingress checks signatures."""

from __future__ import annotations

import asyncio
import dataclasses

import orjson
import pytest

from pipeline.sandbox.statuses import StatusStep
from tests.integration.sandbox_client import ACCOUNT, QUICK, Client, Ingress, sandbox, with_both, with_sandbox
from tests.support.ports import free_ports
from tests.support.waiting import until


def test_statuses_follow_in_order_with_the_command_id() -> None:
    """The pipeline's status path would never be run."""

    async def test(client: Client, ingress: Ingress) -> None:
        _, answer = await client.send(biz_opaque_callback_data="cmd-1")
        await until(lambda: len(ingress.statuses) == 3)
        assert [status["status"] for status in ingress.statuses] == ["sent", "delivered", "read"]
        assert {status["id"] for status in ingress.statuses} == {answer["messages"][0]["id"]}
        assert {status["biz_opaque_callback_data"] for status in ingress.statuses} == {"cmd-1"}
        assert {status["recipient_id"] for status in ingress.statuses} == {"15550001111"}

    with_both(test, statuses=QUICK)


def test_statuses_are_tried_until_the_ingress_takes_them_and_stay_in_order() -> None:
    """Every status that meets a restart of the ingress would be lost, or overtaken by the next."""

    async def test(client: Client, ingress: Ingress) -> None:
        for number in range(20):
            await client.send(f"1555000{number:04}")
        await until(lambda: len(ingress.statuses) == 60)
        by_message: dict[str, list[str]] = {}
        for status in ingress.statuses:
            by_message.setdefault(status["id"], []).append(status["status"])
        assert list(by_message.values()) == [["sent", "delivered", "read"]] * 20
        assert ingress.refused == 6
        counts = (await client.get("stats"))["statuses"]
        assert counts == {"pending": 0, "delivered": 60, "retried": 6, "given_up": 0, "left_out": 0}

    with_both(test, 503, 503, 500, 401, 503, 404, statuses=QUICK)


def test_statuses_wait_for_an_ingress_that_is_not_there_yet() -> None:
    """Nothing of what is sent while the ingress is down would ever be reported."""

    async def run() -> None:
        port, ingress = free_ports(), Ingress()
        async with sandbox(f"http://127.0.0.1:{port}", statuses=QUICK) as client:
            await client.send()
            await until(lambda: client.counted("retried"))
            async with ingress.running(port):
                await until(lambda: len(ingress.statuses) == 3)

    asyncio.run(run())


def test_statuses_are_given_up_in_the_end() -> None:
    """Statuses for an ingress that never comes would pile up without end, unseen."""

    async def test(client: Client) -> None:
        await client.send()
        await until(lambda: client.counted("given_up"))
        assert (await client.get("stats"))["statuses"] | {"retried": 0} == {
            "pending": 0,
            "delivered": 0,
            "retried": 0,
            "given_up": 3,
            "left_out": 0,
        }

    with_sandbox(test, statuses=QUICK, give_up_after=0.2)


def test_statuses_beyond_the_cap_are_left_out_and_counted() -> None:
    """A load with the ingress away would fill the memory."""

    async def test(client: Client) -> None:
        for _ in range(5):
            await client.send()
        counts = (await client.get("stats"))["statuses"]
        assert (counts["pending"], counts["left_out"]) == (2, 3)

    with_sandbox(test, statuses=(StatusStep(status="sent", after=60),), status_cap=2)


def test_statuses_that_pile_up_share_webhooks_when_told_to() -> None:
    """Batched statuses, which Meta does send, would never be met."""

    async def test(client: Client, ingress: Ingress) -> None:
        await asyncio.gather(*(client.send(f"1555000{number:04}") for number in range(40)))
        await until(lambda: len(ingress.statuses) == 40)
        assert len(ingress.bodies) < 20

    step = StatusStep(status="sent", after=0.3)
    with_both(test, statuses=(step,), status_batch=100, status_concurrency=1)


def test_a_user_writes_to_the_business() -> None:
    """Nobody could try the pipeline without signing webhooks by hand."""

    async def test(client: Client, ingress: Ingress) -> None:
        asked = {"provider": "cloud", "account": ACCOUNT.id, "from": "15550001111", "text": "hi", "repeat": 2}
        status, answer = await client.call("POST", "/_sandbox/receive", asked)
        assert (status, answer["status"]) == (200, 200)
        assert [orjson.loads(body) for body in ingress.bodies] == [answer["webhook"]] * 2
        (message,) = answer["webhook"]["entry"][0]["changes"][0]["value"]["messages"]
        assert [message["id"]] == answer["message_ids"]
        assert (message["from"], message["text"]["body"]) == ("15550001111", "hi")

    with_both(test)


def test_a_users_message_reports_what_the_ingress_answered() -> None:
    """A refused message would look as if it had arrived."""

    async def test(client: Client, ingress: Ingress) -> None:
        _, answer = await client.call("POST", "/_sandbox/receive", {"from": "15550001111", "text": "hi"})
        assert (answer["status"], ingress.bodies) == (503, [])

    with_both(test, 503)


@pytest.mark.parametrize(
    ("body", "status", "words"),
    [
        ({"provider": "telegram", "from": "15550001111", "text": "hi"}, 501, "telegram"),
        ({"account": "7", "from": "15550001111", "text": "hi"}, 400, "no cloud account 7"),
        ({"from": "15550001111"}, 400, "text"),
        ({"from": "Ana", "text": "hi"}, 400, "from"),
        ({"from": "15550001111", "text": ["a", "b"], "id": "wamid.1"}, 400, "one text"),
        ({"from": "15550001111", "text": "hi"}, 502, "start the ingress"),
    ],
)
def test_a_users_message_that_cannot_be_is_explained_in_one_line(body: object, status: int, words: str) -> None:
    """Whoever tries the sandbox would be left with a 500."""

    async def test(client: Client) -> None:
        got, answer = await client.call("POST", "/_sandbox/receive", body)
        assert (got, list(answer)) == (status, ["error"])
        assert words in answer["error"]
        assert "\n" not in answer["error"]

    with_sandbox(test)


def test_the_handshake_of_the_callback_url_can_be_tried() -> None:
    """A wrong verify token would be found only when the URL is entered at Meta's."""
    stranger = dataclasses.replace(ACCOUNT, id="2", verify_token="wrong")

    async def test(client: Client, ingress: Ingress) -> None:
        assert await client.call("POST", "/_sandbox/verify", {}) == (200, {"verified": True})
        assert await client.call("POST", "/_sandbox/verify", {"account": "2"}) == (200, {"verified": False})

    with_both(test, accounts=(ACCOUNT, stranger))


def test_an_unreachable_recipient_is_accepted_and_then_fails() -> None:
    """Failures that come by webhook, as Meta reports most of them, would never be met."""

    async def test(client: Client, ingress: Ingress) -> None:
        await client.faults(
            unreachable=["15550001111"], errors=[{"code": 131047, "via": "status", "to": "15550002222"}]
        )
        assert (await client.send())[0] == 200
        assert (await client.send("15550002222"))[0] == 200
        await until(lambda: len(ingress.statuses) == 2)
        failed = {
            status["recipient_id"]: (status["status"], status["errors"][0]["code"]) for status in ingress.statuses
        }
        assert failed == {"15550001111": ("failed", 131026), "15550002222": ("failed", 131047)}

    with_both(test, statuses=QUICK)
