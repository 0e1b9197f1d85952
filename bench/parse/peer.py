"""Wappa's or PyWa's own parsing, measured in an interpreter of their own: it has neither this project nor its packages.

    PYTHON peer.py wappa|pywa BODIES ROUNDS

BODIES is a file of webhooks, one a line. Prints JSON: what is measured and its version, and µs of CPU per webhook of
every round, and the same of the floor on that interpreter; or `{"error": …}` where it can't be measured.
"""

# mypy: ignore-errors
import gc
import json
import logging
import platform
import sys
import time
from importlib.metadata import version
from pathlib import Path

import orjson

logging.disable(logging.CRITICAL)


def wappa():
    """The universal webhook of a POST, as its controller makes it. Its coroutine never waits, so it needs no loop."""
    from wappa.processors.whatsapp_processor import WhatsAppWebhookProcessor

    processor = WhatsAppWebhookProcessor()

    def parse(body):
        made = processor.create_universal_webhook(json.loads(body))
        try:
            made.send(None)
        except StopIteration as done:
            return done.value
        raise RuntimeError("it waits")

    return parse


def pywa():
    """The typed update of a POST, as its server makes it, without its look for duplicates and its handlers."""
    from pywa import WhatsApp
    from pywa.types.base_update import RawUpdate

    client = WhatsApp(phone_id=None, token="t", filter_updates=False)

    def parse(body):
        update = RawUpdate(body, hmac_header=None, update_hash="h")
        return client._handlers_to_updates[client._get_handler_type(update)].from_update(client=client, update=update)

    return parse


def floor():
    from floor import WEBHOOK

    return lambda body: WEBHOOK.validate_python(orjson.loads(body))


def main(name, bodies, rounds):
    try:
        parse, least = {"wappa": wappa, "pywa": pywa}[name](), floor()
        webhooks = Path(bodies).read_bytes().splitlines()
        seen = parse(webhooks[0])
        if "This is number" not in repr(seen) + str(vars(seen)):
            raise ValueError("it has not read the text")
    except Exception as error:
        return {"error": f"{type(error).__name__}: {error}".splitlines()[0][:160]}
    gc.collect()
    gc.freeze()
    costs = [(cost(parse, webhooks), cost(least, webhooks)) for _ in range(rounds)]
    found = {"version": version(name), "python": platform.python_version(), "pydantic": version("pydantic")}
    return found | {"costs": [mine for mine, _ in costs], "floors": [its for _, its in costs]}


def cost(parse, webhooks):
    began = time.thread_time()
    for body in webhooks:
        parse(body)
    return (time.thread_time() - began) / len(webhooks) * 1e6


if __name__ == "__main__":
    print(json.dumps(main(sys.argv[1], sys.argv[2], int(sys.argv[3]))))
