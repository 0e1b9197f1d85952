"""The wheel in an environment of its own: a new project, its tests and the whole stack, without the checkout."""

from __future__ import annotations

import signal
import subprocess
import time
from itertools import count
from pathlib import Path

import pytest
import yaml

from tests.support import packages
from tests.support.observers import get, post
from tests.support.ports import free_ports
from tests.support.stacks import ROOT, Process, eventually
from tests.support.waiting import HANG

pytestmark = pytest.mark.integration
BOT = '''"""Bot."""

from __future__ import annotations

from agents import Agent as Agent
from pipeline.handlers import EventHandler
from pipeline.topics.events import MessageEvent


class BotHandler(EventHandler):
    """Asks for a name, and remembers it for an hour."""

    async def process_message(self, webhook: MessageEvent) -> None:
        said, user_id = webhook.get_message_text(), webhook.user.user_id
        states = self.cache_factory.create_state_cache()
        if not said:
            return
        if await states.get("bot"):
            await states.delete("bot")
            await self.messenger.send_text(f"Hello {{said[:100]}}!", user_id)
        else:
            await states.set("bot", {{"asked": "name"}}, ttl=3600)
            await self.messenger.send_text("{question}", user_id)
'''
"""What `new-project` writes, with an import of openai-agents."""


@pytest.fixture(scope="module")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An environment with the wheel, and with other people's packages that are called as our folders are."""
    place = tmp_path_factory.mktemp("installed")
    _, wheel = packages.build(place)
    made = packages.environment(place / "venv", wheel)
    packages.install_others(packages.site_packages(made))
    return made


@pytest.fixture(scope="module")
def shop(tmp_path_factory: pytest.TempPathFactory, installed: Path) -> Path:
    """A user's folder, which was empty before `pipeline new-project`, with a bot that uses openai-agents."""
    place = tmp_path_factory.mktemp("shop")
    _run(installed, place, "pipeline", "new-project", "shop")
    source = BOT.format(question="What is your name?")
    bot = place / "shop" / "bot.py"
    assert source.partition("class")[2] == bot.read_text().partition("class")[2]
    bot.write_text(source)
    return place


def _run(installed: Path, cwd: Path, command: str, *arguments: str) -> str:
    argv = [str(installed / "bin" / command), *arguments]
    env = packages.clean_environ()
    done = subprocess.run(argv, cwd=cwd, env=env, capture_output=True, text=True, timeout=HANG, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def test_nothing_of_the_checkout_is_imported(installed: Path, shop: Path) -> None:
    """A file that the wheel lacks would be found in the checkout, and by no user."""
    code = (
        "import sys, pipeline, pipeline.agents, pipeline.sandbox, pipeline.topics; print(pipeline.__path__, sys.path)"
    )
    said = _run(installed, shop, "python", "-c", code)
    assert str(packages.site_packages(installed)) in said
    assert f"'{ROOT}'" not in said


def test_a_new_project_passes_its_tests(installed: Path, shop: Path) -> None:
    """A newcomer's first command would write what does not run, and their first push would be red."""
    (job,) = yaml.safe_load((shop / ".github/workflows/tests.yaml").read_text())["jobs"].values()
    command = next(step["run"] for step in job["steps"] if "pytest" in step.get("run", "")).split()
    assert " passed" in _run(installed, shop, *command, "-p", "no:cacheprovider")


def test_a_new_project_answers_and_its_changes_too(installed: Path, shop: Path) -> None:
    """`pip install whatsapp-pipeline` would give a package that runs in our checkout only.

    Or a change of the code would need a restart, lose a message, answer one twice, or end the stack for a slip.
    """
    port = free_ports()
    argv = [str(installed / "bin" / "pipeline"), "up", "--reload", "--ports-from", str(port)]
    stack = Process(argv, shop / "up.out", packages.clean_environ() | {"PYTHONPATH": ""}, shop)
    sandbox = f"http://127.0.0.1:{port + 1}/_sandbox"
    people = count(15550001111)

    def greet() -> str:
        person = str(next(people))
        assert post(f"{sandbox}/receive", {"provider": "cloud", "from": person, "text": "hello"})["status"] == 200
        return person

    def answers(person: str) -> list[str]:
        return [each["body"]["body"] for each in get(f"{sandbox}/sent?to={person}")]

    def answer(person: str) -> str:
        eventually(lambda: answers(person), lambda: f"an answer in {stack.output}")
        return answers(person)[0]

    def change(code: str, shows: str) -> list[str]:
        """Save code, and greet until the screen shows something once more."""
        before = stack.output.count(shows)
        (shop / "shop" / "bot.py").write_text(code)
        greeted = [greet()]
        while stack.output.count(shows) == before:
            assert not stack.ended, stack.output
            greeted.append(greet())
            time.sleep(0.05)
        return greeted

    try:
        stack.wait_for("Ready in")
        assert answer(greet()) == "What is your name?"
        greeted = change(BOT.format(question="Your name?"), "✓ handlers ")
        assert answer(greet()) == "Your name?"
        greeted += change(
            "What is your name?", "was not reloaded, the old code goes on: the handler shop.bot.BotHandler"
        )
        assert answer(greet()) == "Your name?"
        greeted += change(BOT.format(question="And you are?"), "✓ handlers ")
        assert answer(greet()) == "And you are?"
        for person in greeted:
            answer(person)
        assert {person: len(answers(person)) for person in greeted} == dict.fromkeys(greeted, 1)
    finally:
        stack.signal(signal.SIGTERM)
    assert stack.wait() == 0
