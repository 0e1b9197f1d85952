"""The sandbox over real HTTP: a client on one side, an ingress that checks signatures on the other."""

from __future__ import annotations

import asyncio
import dataclasses
import hashlib
import hmac
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import orjson
import pytest
from aiohttp import ClientError, ClientSession, ClientTimeout, web

from sandbox.config import SAMPLE_ACCOUNTS, Config
from sandbox.errors import SandboxError
from sandbox.limits import Limits
from sandbox.server import served
from sandbox.statuses import StatusStep

ACCOUNT = SAMPLE_ACCOUNTS[0]
MESSAGES = f"/v23.0/{ACCOUNT.id}/messages"
TOKEN = {"Authorization": "Bearer sandbox-token"}
QUICK = tuple(
    StatusStep(status=status, after=after) for status, after in [("sent", 0), ("delivered", 0.01), ("read", 0.02)]
)


async def until(true: Callable[[], bool | Awaitable[bool]], within: float = 10.0) -> None:
    """Waits for something to be true; fails when it is not in time."""
    deadline = time.monotonic() + within
    while not (await found if isinstance(found := true(), Awaitable) else found):
        assert time.monotonic() < deadline, "waited in vain"
        await asyncio.sleep(0.005)


class Ingress:
    """Takes webhooks with a good signature. `answers` are given first, then 200."""

    def __init__(self, *answers: int) -> None:
        self.answers = list(answers)
        self.bodies: list[bytes] = []
        self.refused = 0
        self.url = ""

    @asynccontextmanager
    async def running(self, port: int = 0) -> AsyncIterator[None]:
        app = web.Application()
        app.add_routes([web.post("/webhooks/cloud", self._take), web.get("/webhooks/cloud", self._verify)])
        runner = web.AppRunner(app, shutdown_timeout=0.1)
        await runner.setup()
        await web.TCPSite(runner, "127.0.0.1", port).start()
        self.url = f"http://127.0.0.1:{runner.addresses[0][1]}"
        try:
            yield
        finally:
            await runner.cleanup()

    @property
    def statuses(self) -> list[dict[str, Any]]:
        values = [change["value"] for body in self.bodies for change in orjson.loads(body)["entry"][0]["changes"]]
        return [status for value in values for status in value.get("statuses", [])]

    async def _take(self, request: web.Request) -> web.Response:
        body = await request.read()
        wanted = "sha256=" + hmac.new(ACCOUNT.webhook_secret.encode(), body, hashlib.sha256).hexdigest()
        assert request.headers["X-Hub-Signature-256"] == wanted
        status = self.answers.pop(0) if self.answers else 200
        if status == 200:
            self.bodies.append(body)
        else:
            self.refused += 1
        return web.Response(status=status)

    async def _verify(self, request: web.Request) -> web.Response:
        if request.query["hub.verify_token"] != ACCOUNT.verify_token:
            return web.Response(status=403)
        return web.Response(text=request.query["hub.challenge"])


class Client:
    """Talks to one sandbox as the messenger and as its operator."""

    def __init__(self, session: ClientSession, url: str) -> None:
        self.session = session
        self.url = url

    async def call(
        self, method: str, path: str, body: object = None, headers: Mapping[str, str] | None = None
    ) -> tuple[int, Any]:
        data = None if body is None else orjson.dumps(body)
        async with self.session.request(method, self.url + path, data=data, headers=headers) as answer:
            return answer.status, orjson.loads(await answer.read())

    async def send(self, to: str = "15550001111", text: str = "hello", **more: object) -> tuple[int, Any]:
        body = {"messaging_product": "whatsapp", "to": to, "type": "text", "text": {"body": text}} | more
        return await self.call("POST", MESSAGES, body, TOKEN)

    async def get(self, name: str) -> Any:
        status, answer = await self.call("GET", f"/_sandbox/{name}")
        assert status == 200
        return answer

    async def has_sent(self) -> bool:
        return bool(await self.get("sent"))

    async def counted(self, name: str) -> bool:
        return bool((await self.get("stats"))["statuses"][name])

    async def faults(self, **asked: object) -> Any:
        status, answer = await self.call("POST", "/_sandbox/faults", asked)
        assert status == 200, answer
        return answer


@asynccontextmanager
async def sandbox(ingress_url: str = "http://127.0.0.1:9", **changes: Any) -> AsyncIterator[Client]:
    config = Config(port=0, ingress_url=ingress_url, **({"statuses": ()} | changes))
    async with served(config) as url, ClientSession(timeout=ClientTimeout(total=10)) as session:
        yield Client(session, url)


def with_sandbox(test: Callable[[Client], Awaitable[None]], **changes: Any) -> None:
    async def run() -> None:
        async with sandbox(**changes) as client:
            await test(client)

    asyncio.run(run())


def with_both(test: Callable[[Client, Ingress], Awaitable[None]], *answers: int, **changes: Any) -> None:
    async def run() -> None:
        ingress = Ingress(*answers)
        async with ingress.running(), sandbox(ingress.url, **changes) as client:
            await test(client, ingress)

    asyncio.run(run())


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def test_an_accepted_message_is_answered_and_listed() -> None:
    """Nothing that is sent could be checked: neither the messenger nor a test would know what arrived."""

    async def test(client: Client) -> None:
        before = time.time()
        status, answer = await client.send("+15550001111", biz_opaque_callback_data="cmd-1")
        assert status == 200
        assert answer["contacts"] == [{"input": "+15550001111", "wa_id": "15550001111"}]
        (sent,) = await client.get("sent")
        assert before <= sent.pop("at") <= time.time()
        assert sent == {
            "provider": "cloud",
            "account": ACCOUNT.id,
            "to": "15550001111",
            "type": "text",
            "body": {"body": "hello"},
            "message_id": answer["messages"][0]["id"],
            "command_id": "cmd-1",
        }

    with_sandbox(test)


def test_sent_is_listed_oldest_first_narrowed_and_emptied() -> None:
    """Tests that share a sandbox would count each other's messages."""

    async def test(client: Client) -> None:
        for number in range(2500):
            await client.send("15550001111" if number % 2 else "15550002222", str(number))
        everything = await client.get("sent")
        assert [sent["body"]["body"] for sent in everything] == [str(number) for number in range(2500)]
        assert len(await client.get("sent?to=15550001111")) == 1250
        assert await client.get("sent?account=other") == []
        assert len(await client.get(f"sent?since={everything[-11]['at']!r}")) == 10
        assert await client.call("DELETE", "/_sandbox/sent") == (200, {"cleared": 2500})
        assert await client.get("sent") == []

    with_sandbox(test, limits=Limits(messages_per_second=None))


@pytest.mark.parametrize(
    "header", [None, "Bearer wrong", "Bearer", "Basic sandbox-token", "Bearer sandbox-token\u00e9"]
)
def test_a_bad_token_is_answered_as_meta_does(header: str | None) -> None:
    """A pipeline with an expired token would be tested against an answer that Meta never gives."""

    async def test(client: Client) -> None:
        headers = {} if header is None else {"Authorization": header}
        status, answer = await client.call("POST", MESSAGES, {}, headers)
        assert (status, answer["error"]["code"], answer["error"]["type"]) == (401, 190, "OAuthException")
        assert await client.get("sent") == []

    with_sandbox(test)


def test_an_unknown_number_and_another_business_number_do_not_exist() -> None:
    """A tenant with a mistyped number, or with another tenant's, would seem to be able to send."""
    other = dataclasses.replace(ACCOUNT, id="2", token="other-token")

    async def test(client: Client) -> None:
        for number in ("1", "2"):
            status, answer = await client.call("POST", f"/v23.0/{number}/messages", {}, TOKEN)
            assert (status, answer["error"]["code"], answer["error"]["error_subcode"]) == (400, 100, 33)

    with_sandbox(test, accounts=(ACCOUNT, other))


def test_a_bad_recipient_is_refused_and_not_listed() -> None:
    """A malformed number would seem to have been written to."""

    async def test(client: Client) -> None:
        status, answer = await client.send("nobody")
        assert (status, answer["error"]["code"]) == (400, 131009)
        status, answer = await client.send(ACCOUNT.display_phone_number or "")
        assert (status, answer["error"]["code"]) == (400, 131021)
        assert await client.get("sent") == []

    with_sandbox(test)


def test_read_marks_are_kept_apart_from_what_was_sent() -> None:
    """Counts of replies would be wrong by every message that was marked as read."""

    async def test(client: Client) -> None:
        mark: dict[str, object] = {"messaging_product": "whatsapp", "status": "read", "message_id": "wamid.T1"}
        mark |= {"typing_indicator": {"type": "text"}}
        assert await client.call("POST", MESSAGES, mark, TOKEN) == (200, {"success": True})
        (read,) = await client.get("reads")
        assert (read["message_id"], read["typing"]) == ("wamid.T1", True)
        assert await client.get("sent") == []

    with_sandbox(test)


def test_what_is_over_the_limit_is_refused_and_recorded() -> None:
    """A messenger that floods a number would look as good as one that does not."""

    async def test(client: Client) -> None:
        answers = [await client.send(biz_opaque_callback_data=f"cmd-{step}") for step in range(5)]
        assert [status for status, _ in answers] == [200, 200, 200, 400, 400]
        error = answers[3][1]["error"]
        assert (error["code"], error["message"]) == (130429, "(#130429) Rate limit hit")
        violations = await client.get("violations")
        assert [(row["command_id"], row["limit"], row["code"]) for row in violations] == [
            ("cmd-3", "messages_per_second", 130429),
            ("cmd-4", "messages_per_second", 130429),
        ]
        assert len(await client.get("sent")) == 3

    with_sandbox(test, limits=Limits(messages_per_second=0.01, burst=3))


def test_the_pair_limit_closes_one_conversation_only() -> None:
    """A burst to one person would go unnoticed here and be refused by Meta."""

    async def test(client: Client) -> None:
        await client.faults(limits={"messages_per_second": None, "pair": "strict"})
        answers = [await client.send() for _ in range(46)]
        assert [status for status, _ in answers] == [200] * 45 + [400]
        assert answers[-1][1]["error"]["code"] == 131056
        assert (await client.send("15550002222"))[0] == 200
        assert [row["limit"] for row in await client.get("violations")] == ["pair"]

    with_sandbox(test)


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
        port, ingress = free_port(), Ingress()
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


def test_faults_are_set_shown_and_reset() -> None:
    """Retries could not be tested, or one test's faults would break the next."""

    async def test(client: Client) -> None:
        shown = await client.faults(errors=[{"code": 131000, "http": 500, "times": 2, "to": "15550001111"}])
        assert shown["errors"][0]["times"] == 2
        answers = [(await client.send())[0], (await client.send("15550002222"))[0], (await client.send())[0]]
        assert answers == [500, 200, 500]
        assert (await client.get("faults"))["errors"][0]["times"] == 0
        assert (await client.send())[0] == 200
        _, after = await client.call("DELETE", "/_sandbox/faults")
        assert after["errors"] == []

    with_sandbox(test)


def test_an_injected_refusal_is_no_violation() -> None:
    """A test that injects 130429 would be told that the sender broke a limit."""

    async def test(client: Client) -> None:
        await client.faults(errors=[{"code": 130429}])
        status, answer = await client.send()
        assert (status, answer["error"]["code"]) == (400, 130429)
        assert await client.get("violations") == []

    with_sandbox(test)


def test_latency_delays_the_answer_and_not_the_message() -> None:
    """A messenger that dies while it waits for an answer could not be told from one that never sent."""

    async def test(client: Client) -> None:
        await client.faults(latency=0.3)
        started = time.monotonic()
        sending = asyncio.create_task(client.send())
        await until(client.has_sent)
        assert time.monotonic() - started < 0.3
        assert (await sending)[0] == 200
        assert time.monotonic() - started >= 0.3

    with_sandbox(test)


def test_an_accepted_message_can_be_left_unanswered() -> None:
    """The worst case of a send, done but not known to be, could not be tested."""

    async def test(client: Client) -> None:
        await client.faults(timeout_after_accept={"times": 1, "hold": 0.05})
        with pytest.raises(ClientError):
            await client.send()
        assert len(await client.get("sent")) == 1
        assert (await client.send())[0] == 200

    with_sandbox(test)


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


@pytest.mark.parametrize("wrong", [{"latncy": 1}, {"errors": [{"http": 500}]}, {"latency": -1}, []])
def test_a_misspelt_fault_is_refused(wrong: object) -> None:
    """A test would pass because its fault never happened."""

    async def test(client: Client) -> None:
        status, answer = await client.call("POST", "/_sandbox/faults", wrong)
        assert (status, list(answer)) == (400, ["error"])

    with_sandbox(test)


def test_the_page_escapes_what_was_sent() -> None:
    """A message with markup would run in the browser of whoever looks at the sandbox."""

    async def test(client: Client) -> None:
        await client.send(text="<script>alert(1)</script>")
        async with client.session.get(client.url + "/") as answer:
            page = await answer.text()
        assert "&lt;script&gt;alert(1)&lt;/script&gt;" in page
        assert "<script" not in page
        assert "/_sandbox/receive" in page

    with_sandbox(test)


def test_health_is_answered() -> None:
    """A supervisor would wait forever for a sandbox that has started."""

    async def test(client: Client) -> None:
        assert (await client.call("GET", "/healthz"))[0] == 200
        assert (await client.call("GET", "/readyz"))[0] == 200

    with_sandbox(test)


def test_a_taken_port_is_explained() -> None:
    """Whoever starts a second sandbox would be shown a traceback."""

    async def test(client: Client) -> None:
        port = int(client.url.rpartition(":")[2])
        with pytest.raises(SandboxError, match=f"127.0.0.1:{port} is taken"):
            async with served(Config(port=port)):
                pass

    with_sandbox(test)


def test_the_command_serves_and_stops_on_sigterm(tmp_path: Path) -> None:
    """`pipeline up` would hang on Ctrl-C, waiting for a sandbox that holds connections open."""
    port = free_port()
    command = [str(Path(sys.executable).with_name("pipeline")), "sandbox", "--ingress-url", "http://127.0.0.1:9"]
    environ = os.environ | {"PIPELINE_SANDBOX_PORT": str(port)}
    process = subprocess.Popen(command, cwd=tmp_path, env=environ, stdout=subprocess.PIPE, text=True)
    try:
        assert process.stdout is not None
        line = process.stdout.readline()
        assert f"http://127.0.0.1:{port}" in line
        asyncio.run(leave_unanswered(f"http://127.0.0.1:{port}", process))
        assert process.wait(2.0) == 0
    finally:
        process.kill()
        process.wait()


async def leave_unanswered(url: str, process: subprocess.Popen[str]) -> None:
    """Stops the sandbox while it keeps a client waiting."""
    async with ClientSession(timeout=ClientTimeout(total=10)) as session:
        client = Client(session, url)
        await client.faults(timeout_after_accept={"times": 1, "hold": 60})
        waiting = asyncio.create_task(client.send())
        await until(client.has_sent)
        process.send_signal(signal.SIGTERM)
        with pytest.raises(ClientError):
            await waiting
