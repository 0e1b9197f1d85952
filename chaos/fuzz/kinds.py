"""The corpus: every kind of input, each a function of a ticket."""

from __future__ import annotations

import gzip
from codecs import BOM_UTF8
from collections.abc import Callable, Iterator, Mapping
from random import Random
from typing import Any, Final

import orjson

from chaos.accounts import NUMBERS
from chaos.fuzz import forms
from chaos.fuzz.inputs import MARK, Input, Ticket, authentic, mark
from chaos.fuzz.spoil import BESIDE, NAMES, odd, own, spoil
from chaos.webhooks import signed

LIMIT: Final = 3 * 1024 * 1024
"""Bytes of a body that the ingress takes."""
Kind = Callable[[Ticket], Input]

_DEPTHS: Final = (
    5,
    100,
    200,
    240,
    248,
    249,
    250,
    251,
    252,
    253,
    254,
    255,
    256,
    300,
    1000,
    1022,
    1023,
    1024,
    1025,
    50_000,
)
_SIZES: Final = (70_000, 400_000, 520_000, 1_000_000, 1_400_000, 1_900_000, 2_100_000, 2_900_000, LIMIT - 700)
_BROKEN_UTF8: Final = (b"\xff", b"\x80", b"\xc0\xaf", b"\xed\xa0\x80", b"\xf4\x90\x80\x80", b"\xe2\x82", b"\xfe\xff")
_NOT_JSON: Final = (
    "NaN",
    "Infinity",
    "-Infinity",
    "1e",
    "0x10",
    "01",
    "+1",
    ".5",
    "'a'",
    "undefined",
    '"\\ud800"',
    '"\\x"',
)
_EXTREME: Final = ("1e400", "-1e400", "1" * 400, "-0", "1E+2", "123456789012345678901234567890", "0." + "3" * 300)
_ENCODINGS: Final = ("utf-16", "utf-32", "utf-8-sig", "utf-16-be", "utf-7")
_EMPTY: Final = (
    b"{}",
    b'{"object":"whatsapp_business_account"}',
    b'{"entry":[]}',
    b'{"entry":{}}',
    b'{"entry":[null]}',
    b'{"entry":[{}]}',
    b'{"entry":[{"id":"990000","changes":[]}]}',
    b'{"entry":[{"changes":[null]}]}',
    b'{"entry":[{"changes":[{}]}]}',
    b'{"entry":[{"changes":[{"value":{}}]}]}',
    b'{"entry":[{"changes":[{"value":{"messages":[{}]}}]}]}',
    b'{"entry":[{"changes":[{"value":{"metadata":{},"messages":[{}]}}]}]}',
    b'{"entry":[{"changes":[{"value":{"metadata":{},"messages":[null]}}]}]}',
    b"",
    b" ",
    b"null",
    b"[]",
    b'""',
    b"0",
)
_LONG: Final = ("from", "id", "type", "timestamp", "phone_number_id", "business", "wa_id", "name", "key")


def usual(ticket: Ticket) -> Input:
    phone = f"1555{ticket.rng.randrange(500):07d}"
    return _tree("usual", forms.written(ticket.mark(), **{"from": phone}), ticket)


def any_form(ticket: Ticket) -> Input:
    return _tree("any form", forms.any_form(ticket.mark(), ticket.rng), ticket)


def wrong_types(ticket: Ticket) -> Input:
    return _tree("wrong types", spoil(forms.any_form(ticket.mark(), ticket.rng), ticket.mark(), ticket.rng), ticket)


def hostile_names(ticket: Ticket) -> Input:
    """Fields that a program might trip over, or a great many of them."""
    said, names = ticket.mark(), ticket.rng.sample(NAMES, 5)
    item = {name: own(name, odd(said, ticket.rng), said) for name in names}
    if ticket.rng.random() < 0.02:
        item |= {f"field{n}": n for n in range(20_000)}
    item[BESIDE] = ticket.mark()
    return _tree("hostile names", forms.webhook(forms.container(messages=[item])), ticket)


def scalar(ticket: Ticket) -> Input:
    text = ticket.rng.choice(("{}", '"{}"', "[{}]", "-{}", "{}.5", '[["{}"]]', '{{"{}":1}}'))
    return authentic("no webhook", text.format(ticket.mark()).encode(), ticket.mark())


def empty(ticket: Ticket) -> Input:
    return authentic("nothing in it", ticket.rng.choice(_EMPTY))


def deep(ticket: Ticket) -> Input:
    depth = ticket.rng.choice(_DEPTHS)
    opening, closing = ticket.rng.choice((("[", "]"), ('{"a":', "}")))
    nest = opening * depth + f'"{ticket.mark()}"' + closing * depth
    where = ticket.rng.choice(("text", "context", "timestamp", "unknown", "id"))
    return authentic("deep", _with(forms.written(ticket.mark(), **{where: "@"}), nest), ticket.mark())


def not_json(ticket: Ticket) -> Input:
    return authentic("not JSON", _with(_holding(ticket), ticket.rng.choice(_NOT_JSON)), ticket.mark())


def extreme_numbers(ticket: Ticket) -> Input:
    return authentic("extreme numbers", _with(_holding(ticket), ticket.rng.choice(_EXTREME)), ticket.mark())


def cut_off(ticket: Ticket) -> Input:
    """Only the beginning of a body, far enough to have its mark."""
    body = orjson.dumps(forms.any_form(ticket.mark(), ticket.rng))
    least = body.index(ticket.mark().encode()) + len(ticket.mark())
    return authentic("cut off", body[: ticket.rng.randrange(least, len(body))], ticket.mark())


def garbled(ticket: Ticket) -> Input:
    """Change, add or remove bytes. It is found by the webhook's id: its mark may be hit, but is never another's."""
    own = f"{ticket.mark()}-{ticket.rng.randbytes(8).hex()}"
    body = _damaged(orjson.dumps(forms.written(own)), ticket.rng)
    while set(MARK.findall(body)) - {ticket.mark().encode()}:
        body = _damaged(orjson.dumps(forms.written(own)), ticket.rng)
    return authentic("garbled", body)


def _damaged(whole: bytes, rng: Random) -> bytes:
    body = bytearray(whole)
    for _ in range(rng.randint(1, 8)):
        at = rng.randrange(len(body))
        body[at : at + rng.randint(0, 2)] = rng.randbytes(rng.randint(0, 3))
    return bytes(body)


def invalid_utf8(ticket: Ticket) -> Input:
    body = orjson.dumps(forms.written(ticket.mark(), text={"body": "@"}))
    return authentic("invalid UTF-8", body.replace(b"@", ticket.rng.choice(_BROKEN_UTF8)), ticket.mark())


def encodings(ticket: Ticket) -> Input:
    """JSON, but not in UTF-8; or compressed, which nobody has asked for."""
    text = orjson.dumps(forms.written(ticket.mark())).decode()
    if ticket.rng.random() < 0.3:
        return authentic("other encodings", gzip.compress(text.encode()), **{"Content-Encoding": "gzip"})
    return authentic("other encodings", text.encode(ticket.rng.choice(_ENCODINGS)))


def duplicate_keys(ticket: Ticket) -> Input:
    """Return the last one counts for most readers; the mark is in it."""
    whole = orjson.dumps(forms.any_form(ticket.mark(), ticket.rng)).decode()
    name = ticket.rng.choice([name for name in ("entry", "changes", "id", "value", "field") if f'"{name}":' in whole])
    earlier = orjson.dumps(odd(ticket.mark(), ticket.rng)).decode()
    return authentic(
        "duplicate keys", whole.replace(f'"{name}":', f'"{name}":{earlier},"{name}":').encode(), ticket.mark()
    )


def repeated_id(ticket: Ticket) -> Input:
    """Return a thousand inputs with one id between them; they count once."""
    shared = mark(ticket.number - ticket.number % 1000, 1)
    item = forms.message(shared) | {"text": {"body": f"copy {ticket.mark()}"}}
    return authentic("repeated id", orjson.dumps(forms.webhook(forms.container(messages=[item]))), shared)


def huge(ticket: Ticket) -> Input:
    """Below the limit, in one field."""
    where = ticket.rng.choice(("text", "unknown", "id"))
    tree = forms.written(ticket.mark(), **{where: f"{ticket.mark()} @"})
    room = LIMIT - len(orjson.dumps(tree))
    return authentic(
        "huge string", _with(tree, "x" * min(ticket.rng.choice(_SIZES), room), quoted=False), ticket.mark()
    )


def long_names(ticket: Ticket) -> Input:
    """A value far too long for a key, an id or a header."""
    where, size = ticket.rng.choice(_LONG), ticket.rng.choice((300, 5_000, 40_000, 260_000, *_SIZES))
    text = f"{ticket.mark()} @"
    item = forms.message(ticket.mark()) | ({where: text} if where in ("from", "id", "type", "timestamp") else {})
    value = forms.container(contacts=[forms.person(item["from"], ticket.mark())], messages=[item])
    tree = forms.webhook(value)
    if where == "phone_number_id":
        value["metadata"][where] = text
    elif where == "business":
        tree["entry"][0]["id"] = text
    elif where in ("wa_id", "name"):
        value["contacts"] = [{"wa_id": item["from"], "profile": {"name": "Ana"}} | {where: text}]
    elif where == "key":
        value[text] = [{"id": ticket.mark()}]
    holes = orjson.dumps(tree).count(b"@")
    room = (LIMIT - len(orjson.dumps(tree))) // holes
    return authentic("long names", _with(tree, "x" * min(size, room), quoted=False), ticket.mark())


def large_batch(ticket: Ticket) -> Input:
    """Up to 10,000 messages, of one contact or of as many."""
    size = ticket.rng.choice((50, 200, 200, 1_000, 1_000, 10_000))
    marks = [ticket.mark(part) for part in range(size)]
    many = ticket.rng.random() < 0.5
    messages = [forms.message(each, f"1666{part:07d}" if many else "16660000000") for part, each in enumerate(marks)]
    number = ticket.rng.choice(NUMBERS)
    value = forms.container(number, messages=messages)
    return authentic("large batch", orjson.dumps(forms.webhook(value, number=number)), *marks)


def mixed_batch(ticket: Ticket) -> Input:
    """Good parts between spoilt ones: the good must not go down with the bad."""
    marks = [ticket.mark(part) for part in range(ticket.rng.randint(2, 6))]
    entries = [entry for each in marks for entry in spoil_entry(each, ticket.rng)]
    return authentic("mixed batch", orjson.dumps({"object": "x", "entry": entries}), *marks)


def spoil_entry(each: str, rng: Random) -> list[forms.Tree]:
    """Return the entries of a form, spoilt inside or not at all."""
    entries: list[forms.Tree] = forms.any_form(each, rng)["entry"]
    return [spoil(entry, each, rng) if rng.random() < 0.5 else entry for entry in entries]


def amplified(ticket: Ticket) -> Input:
    """Little that could become much: what surrounds the parts or belongs to each is large, or they are many."""
    rng, junk = ticket.rng, "j" * ticket.rng.choice((10_000, 300_000, 1_000_000))
    size = rng.choice((2, 60, 600))
    marks = [ticket.mark(part) for part in range(size)]
    people = rng.choice((1, size))
    messages = [forms.message(each, f"1777{part % people:07d}") for part, each in enumerate(marks)]
    value = forms.container(contacts=[forms.person("17770000000", ticket.mark())], messages=messages)
    tree = forms.webhook(value)
    change = tree["entry"][0]["changes"][0]
    where: Any = rng.choice((tree, tree["entry"][0], change, value, value["metadata"], "contact", "number", "parts"))
    if where == "contact":
        value["contacts"][0]["profile"]["name"] += junk
    elif where == "number":
        value["metadata"]["display_phone_number"] = junk
    elif where == "parts":
        value["messages"] += [0] * rng.choice((1_000, 9_000, 20_000, 500_000))
    else:
        where[BESIDE] = junk
    body = orjson.dumps(tree)
    return Input("amplified", body, [each.encode() for each in marks], signed(body), frozenset({200, 413}))


def surrogates(ticket: Ticket) -> Input:
    """Half of a surrogate pair in one text of several; in a name, an id or a number too."""
    entries = [entry for part in range(3) for entry in forms.any_form(ticket.mark(part), ticket.rng)["entry"]]
    tree = {"object": "x", "entry": entries}
    body = orjson.dumps(tree).decode()
    quotes = [at for at, each in enumerate(body) if each == '"' and body[at - 1] != "\\"]
    at = ticket.rng.choice(quotes[1::2])
    half = ticket.rng.choice(("\\ud83d", "\\udc00", "\\ude00\\ud83d", "\\\\\\ud83d"))
    return authentic("surrogates", f"{body[:at]}{half}{body[at:]}".encode(), *(ticket.mark(part) for part in range(3)))


def marked_order(ticket: Ticket) -> Input:
    """Return a byte order mark before a body that is right."""
    body = orjson.dumps(forms.any_form(ticket.mark(), ticket.rng))
    return authentic("byte order mark", BOM_UTF8 + body, ticket.mark())


def odd_leaf(ticket: Ticket) -> Input:
    """Return a message or a status whose decoration is of another shape: it must stay what it is."""
    rng, said = ticket.rng, ticket.mark()
    item = forms.message(said) if rng.random() < 0.5 else forms.status(said)
    names = ("context", "referral", "errors", "pricing", "conversation", "from_user_id", "recipient_identity_key_hash")
    item[rng.choice(names)] = odd(said, rng)
    value = forms.container(messages=[item]) if "text" in item else forms.container(statuses=[item])
    return _tree("odd leaf", forms.webhook(value), ticket)


def too_large(ticket: Ticket) -> Input:
    size = ticket.rng.choice((LIMIT + 1, LIMIT + 1, 4_000_000, 10_000_000))
    frame = orjson.dumps(forms.written(ticket.mark(), text={"body": "@"}))
    body = frame.replace(b"@", b"x" * (size - len(frame) + 1))
    chunked = ticket.rng.random() < 0.3
    return Input("too large", body, [ticket.mark().encode()], signed(body), frozenset({413}), chunked=chunked)


def unauthentic(ticket: Ticket) -> Input:
    body = orjson.dumps(forms.any_form(ticket.mark(), ticket.rng))
    good = signed(body)["X-Hub-Signature-256"]
    wrong = ticket.rng.choice(
        (
            None,
            "",
            "sha256=",
            "sha256=" + "0" * 64,
            good[:-1],
            good + "0",
            good.replace("sha256", "sha1"),
            good.replace("sha256=", ""),
            "sha256=" + "\u00e9" * 64,
            signed(body + b" ")["X-Hub-Signature-256"],
            "sha256=" + "z" * 64,
        )
    )
    headers = {"Content-Type": "application/json"} | ({"X-Hub-Signature-256": wrong} if wrong is not None else {})
    return Input("unauthentic", body, [ticket.mark().encode()], headers, frozenset({401}))


def wrong_request(ticket: Ticket) -> Input:
    """Not what the path, the method or the media type should be."""
    body = orjson.dumps(forms.written(ticket.mark()))
    headers, marks = signed(body), [ticket.mark().encode()]
    return ticket.rng.choice(
        (
            Input("wrong request", body, marks, headers | {"Content-Type": "text/plain"}, frozenset({415})),
            Input("wrong request", body, marks, headers | {"Content-Type": "\u00e9"}, frozenset({400, 415})),
            Input("wrong request", body, marks, headers, frozenset({404}), path=f"/webhooks/nobody/{ticket.mark()}"),
            Input("wrong request", body, marks, headers, frozenset({404}), path="/webhooks/%00/..%2f"),
            Input("wrong request", body, marks, headers, frozenset({404, 405}), method="PUT"),
            Input("wrong request", body, marks, headers, frozenset({400, 404, 405}), method="BREW"),
            Input("wrong request", body, marks, headers | {"X-Long": "x" * 20_000}, frozenset({400, 431})),
        )
    )


def odd_request(ticket: Ticket) -> Input:
    """Strange, but right: it must be taken."""
    body = orjson.dumps(forms.written(ticket.mark()))
    more = ticket.rng.choice(
        (
            {"Content-Type": "application/json; charset=utf-16"},
            {"traceparent": "00-" + "z" * 32 + "-" + "0" * 16 + "-01"},
            {"traceparent": "\u00e9"},
            {f"X-{n}": str(n) for n in range(60)},
            {"X-Forwarded-For": "'; --", "Expect": "100-continue"},
        )
    )
    chunked = ticket.rng.random() < 0.5
    return Input("odd request", body, [ticket.mark().encode()], signed(body) | more, chunked=chunked)


KINDS: Final[Mapping[Kind, int]] = {
    usual: 100,
    any_form: 100,
    wrong_types: 300,
    hostile_names: 60,
    scalar: 20,
    empty: 20,
    deep: 60,
    not_json: 30,
    extreme_numbers: 30,
    cut_off: 30,
    garbled: 50,
    invalid_utf8: 30,
    encodings: 20,
    duplicate_keys: 40,
    repeated_id: 20,
    huge: 2,
    long_names: 6,
    large_batch: 1,
    mixed_batch: 60,
    amplified: 6,
    surrogates: 40,
    marked_order: 10,
    odd_leaf: 100,
    too_large: 2,
    unauthentic: 40,
    wrong_request: 10,
    odd_request: 10,
}
"""How often each is tried."""


def corpus(seed: int, count: int) -> Iterator[Input]:
    """`count` inputs, each kind at least once where there are enough. They follow from the seed alone."""
    kinds, weights = list(KINDS), list(KINDS.values())
    choose = Random(f"{seed}:kinds")  # noqa: S311 (replayable, no secret)
    for number in range(count):
        kind = kinds[number] if number < len(kinds) else choose.choices(kinds, weights)[0]
        yield kind(Ticket(number, Random(f"{seed}:{number}")))  # noqa: S311


def _tree(kind: str, tree: forms.Tree, ticket: Ticket) -> Input:
    return authentic(kind, orjson.dumps(tree), ticket.mark())


def _holding(ticket: Ticket) -> forms.Tree:
    """Return a webhook with a hole in it."""
    where = ticket.rng.choice(("timestamp", "type", "unknown", "context", "text"))
    return forms.written(ticket.mark(), **{where: "@"})


def _with(tree: forms.Tree, text: str, *, quoted: bool = True) -> bytes:
    """Return the tree with its holes, strings of one `@` if `quoted`, filled."""
    return orjson.dumps(tree).replace(b'"@"' if quoted else b"@", text.encode())
