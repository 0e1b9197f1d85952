"""Ingress, intake and handlers as processes on the shared Kafka and Redis: from a user's text to its answer."""

from __future__ import annotations

import sys
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping
from itertools import count, islice
from pathlib import Path
from typing import NamedTuple

import redis
import yaml

from pipeline.local.kafka import Kafka
from pipeline.local.probe import http_ready
from pipeline.local.redis import RedisServer
from pipeline.runtime.kafka.partitions import partition_of
from pipeline.topics.catalogue import COMMANDS_INTERACTIVE
from pipeline.topics.codec import decode_command
from pipeline.topics.keys import conversation_key
from tests.faults.obedient_handler import PATH, ROW
from tests.integration.installation import PARTITIONS
from tests.support.app_worker import AppWorker
from tests.support.observers import Tail, request
from tests.support.ports import free_ports
from tests.support.stacks import ROOT, Process, eventually
from tests.support.waiting import HANG
from tests.support.webhooks import change, signed, text, webhook

TEXTS_OF_A_WEBHOOK = 100
SECRET = b"the app secret of one test"


class Text(NamedTuple):
    """A text that a user writes to a number: the answer that it gets, and what the handler is to do."""

    number: str
    user: str
    answer: str
    order: str


class Answer(NamedTuple):
    """A command that answers a user."""

    number: str
    user: str
    text: str


def users(number: str, partition: int) -> Iterator[str]:
    """Return phone numbers of users whose conversations with a number are on a partition."""
    for one in count():
        user = f"1555{one:07}"
        if partition_of(conversation_key("cloud", number, user).encode(), PARTITIONS) == partition:
            yield user


class HandlerSite:
    """The receiving half of the pipeline, for some tenants with one number each. Stop it.

    Args:
        numbers: phone_number_id by tenant.
    """

    def __init__(self, kafka: Kafka, redis_server: RedisServer, place: Path, numbers: Mapping[str, str]) -> None:
        self.numbers = numbers
        self._kafka = kafka
        self._redis = redis_server.url
        self._place = place
        self._ids = count()
        self._tenants = place / "tenants.yaml"
        self._tenants.write_text(yaml.safe_dump(_tenants_file(numbers)))
        self._processes: list[Process] = []
        self._port = self._start_ingress()
        self._answers = Tail(kafka.bootstrap, COMMANDS_INTERACTIVE.name)

    def _start_ingress(self) -> int:
        port = free_ports()
        settings = {
            "KAFKA": self._kafka.bootstrap,
            "TENANTS": self._tenants,
            "PARTITIONS": PARTITIONS,
            "INGRESS_DEADLINE": HANG,
        }
        env = {f"PIPELINE_{key}": str(value) for key, value in settings.items()}
        argv = [sys.executable, "-m", "pipeline.cli", "ingress", "--port", str(port)]
        ingress = Process(argv, self._place / "ingress.out", env, ROOT)
        self._processes.append(ingress)
        eventually(lambda: http_ready("127.0.0.1", port) or ingress.ended, lambda: ingress.output)
        assert not ingress.ended, ingress.output
        return port

    def worker(self, **settings: object) -> AppWorker:
        """Start the worker, and wait until it is ready."""
        apps = ("intake", "handlers")
        # With a name, the group does not wait for the worker of the last test, which was killed.
        own = {"REDIS": self._redis, "INSTANCE_ID": "one", **settings}
        worker = AppWorker(apps, self._kafka, self._place, "worker", self._tenants, **own)
        self._processes.append(worker)
        worker.wait_ready()
        return worker

    def stop(self) -> None:
        self._answers.close()
        for process in self._processes:
            process.kill()

    def post(self, texts: Iterable[Text]) -> None:
        """Post the texts that users write to one number, in order, as few webhooks."""
        left = iter(texts)
        while some := list(islice(left, TEXTS_OF_A_WEBHOOK)):
            messages = [text(each.user, f"wamid.{next(self._ids)}", each.order) for each in some]
            body = webhook([change(messages, number=some[0].number)])
            assert request(f"http://127.0.0.1:{self._port}/webhooks/cloud", body, signed(body, SECRET)) == 200

    def answers(self) -> list[Answer]:
        """Return the answers, in order where their numbers have one partition."""
        commands = map(decode_command, self._answers.records())
        return [Answer(command.account, command.recipient, str(command.body["text"])) for command in commands]

    def count(self, number: str) -> int:
        """Return how many answers a number has given."""
        return sum(answer.number == number for answer in self.answers())

    def is_complete(self, texts: Iterable[Text]) -> bool:
        """Return True if each text was handled and answered once, in the order of its conversation."""
        expected, found = defaultdict(list), defaultdict(list)
        for each in texts:
            expected[each.number, each.user].append(each.answer)
        for answer in self.answers():
            found[answer.number, answer.user].append(answer.text)
        return found == expected and self._handled() == {key: len(answers) for key, answers in expected.items()}

    def _handled(self) -> Counter[tuple[str, str]]:
        """Return how many messages of each conversation the handler has counted in Redis."""
        found: Counter[tuple[str, str]] = Counter()
        with redis.Redis.from_url(self._redis, decode_responses=True) as client:
            for tenant, number in self.numbers.items():
                for key in client.scan_iter(f"{{{tenant}}}:user:*:{ROW}", count=1000):
                    found[number, key.split(":")[2]] += int(client.hget(key, "messages") or 0)
        return found


def _tenants_file(numbers: Mapping[str, str]) -> object:
    return {
        "cloud_apps": [{"id": "app", "app_secrets": [SECRET.decode()], "verify_token": "verify"}],
        "tenants": [
            {"id": tenant, "handler": PATH, "accounts": [{"provider": "cloud", "id": number, "token": "t"}]}
            for tenant, number in numbers.items()
        ],
    }
