"""The sandbox over real HTTP: what it takes and refuses, its limits and faults, and the process itself."""

from __future__ import annotations

import asyncio
import dataclasses
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from aiohttp import ClientError, ClientSession, ClientTimeout

from pipeline.sandbox.config import SandboxConfig
from pipeline.sandbox.errors import SandboxError
from pipeline.sandbox.limits import SandboxLimits
from pipeline.sandbox.server import served
from tests.integration.sandbox_client import ACCOUNT, MESSAGES, TOKEN, Client, with_sandbox
from tests.support.ports import free_ports
from tests.support.waiting import HANG, until


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

    with_sandbox(test, limits=SandboxLimits(messages_per_second=None))


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

    with_sandbox(test, limits=SandboxLimits(messages_per_second=0.01, burst=3))


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
        await client.faults(latency=2 * HANG)
        sending = asyncio.create_task(client.send())
        await until(client.has_sent)
        assert not sending.done()
        sending.cancel()
        await client.faults(latency=0.2)
        started = time.monotonic()
        assert (await client.send())[0] == 200
        assert time.monotonic() - started >= 0.2

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
            async with served(SandboxConfig(port=port)):
                pass

    with_sandbox(test)


def test_the_command_serves_and_stops_on_sigterm(tmp_path: Path) -> None:
    """`pipeline up` would hang on Ctrl-C, waiting for a sandbox that holds connections open."""
    port = free_ports()
    command = [str(Path(sys.executable).with_name("pipeline")), "sandbox", "--ingress-url", "http://127.0.0.1:9"]
    environ = os.environ | {"PIPELINE_SANDBOX_PORT": str(port)}
    process = subprocess.Popen(command, cwd=tmp_path, env=environ, stdout=subprocess.PIPE, text=True)
    try:
        assert process.stdout is not None
        line = process.stdout.readline()
        assert f"http://127.0.0.1:{port}" in line
        asyncio.run(leave_unanswered(f"http://127.0.0.1:{port}", process))
        assert process.wait(HANG) == 0
    finally:
        process.kill()
        process.wait()


async def leave_unanswered(url: str, process: subprocess.Popen[str]) -> None:
    """Stops the sandbox while it keeps a client waiting."""
    async with ClientSession(timeout=ClientTimeout(total=HANG)) as session:
        client = Client(session, url)
        await client.faults(timeout_after_accept={"times": 1, "hold": 2 * HANG})
        waiting = asyncio.create_task(client.send())
        await until(client.has_sent)
        process.send_signal(signal.SIGTERM)
        with pytest.raises(ClientError):
            await waiting
