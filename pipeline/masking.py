"""Mask ids that contain a person's phone number in logs, spans and the command line.

A wamid contains the user's number in base64; conversation keys, JIDs and recipients contain it literally. A mask is `~`
and 12 hex digits. An id always has the same mask, so that you can find all lines about one person. The digits are a
keyed hash, because there are so few phone numbers that a plain hash can be reversed by trying them all.

The key is `PIPELINE_MASK_KEY`, else the file `mask.key` in the data directory, which is created on first use; without a
data directory the key is made for this process alone. Processes with the same key make the same masks. A mask can't be
reversed: use the position of the record (topic, partition, offset) or its trace id beside it.
"""

from __future__ import annotations

import hashlib
import os
import re
import secrets
from enum import Enum, auto
from functools import lru_cache
from pathlib import Path
from typing import Final

from pipeline.private_files import write_private

KEY_FILE: Final = "mask.key"
KEY_BYTES: Final = 32
DIGEST_BYTES: Final = 6
"""Bytes of a mask. Among 10 million people two have the same mask with a chance of 16 %, so a mask is no identity."""

_CONTACTS: Final = frozenset(
    {
        "chat", "chatid", "contact", "from", "fromuserid", "groupid", "jid", "lid", "member", "parentuserid",
        "participant", "participantid", "phone", "phonenumber", "recipient", "recipientid", "recipientuserid", "sender",
        "senderid", "to", "userid", "username", "waid",
    }
)  # fmt: skip
"""Fields that contain only a person or a chat. Names without `_` and `-`, in lower case."""
_KEYS: Final = frozenset({"conversation", "conversationid", "key"})
"""Fields that contain a partition key: `provider:account`, and the contact behind it."""
_PLAIN: Final = frozenset(
    {
        "account", "accountid", "businessid", "commandid", "instance", "level", "logger", "offset", "partition",
        "phonenumberid", "provider", "stage", "tenant", "tenantid", "timestamp", "topic", "traceid", "traceparent",
        "wabaid", "webhookid",
    }
)  # fmt: skip
"""Fields without personal data: long numbers in them are accounts and times."""
_IDS: Final = re.compile(
    # an account's key, and numbers with a unit or a name
    r"(?P<kept>~[0-9a-f]{12}|\b(?:cloud|wasender|waha|wawp):[^:\s\"',;)\]}#]+"
    r"|\b(?:account|bytes|offset|partition)[ =:]+[\"']?[\w.-]+|\b\d+ bytes\b)"
    r"|wamid\.[\w+/=%-]+"
    # the user of a JID, and a group id of the old form: its creator's number and a time
    r"|\d[\d-]{4,}(?:[:_]\d+)*(?=@[a-z])"
    # a phone number as people write it, or as digits alone
    r"|(?<!\w)\+\d(?:[\s().\u2010-\u2015-]*\d){6,19}(?![0-9A-Za-z])"
    r"|(?<![0-9A-Za-z])(?<!\d\.)(?:%2[Bb])?\d{8,20}(?![0-9A-Za-z])"
)
_HINT: Final = re.compile(r"\d{5}|\+\d|wamid\.")
"""Matches a part of every id; most texts have no match."""
_NOT_DIGITS: Final = re.compile(r"\D")
_NUMBER: Final = re.compile(r"\+?\d[\d\s().\u2010-\u2015-]*(?::\d+)?")


class _Kind(Enum):
    CONTACT = auto()
    KEY = auto()
    PLAIN = auto()
    TEXT = auto()


@lru_cache(maxsize=1024)
def _kind(name: str) -> _Kind:
    """Return the kind of a field. The results are cached, because log lines have the same few names."""
    plain = name.lower().replace("_", "").replace("-", "")
    kinds = ((_CONTACTS, _Kind.CONTACT), (_KEYS, _Kind.KEY), (_PLAIN, _Kind.PLAIN))
    return next((kind for names, kind in kinds if plain in names), _Kind.TEXT)


class Masker:
    """Makes masks under one key of up to 64 bytes."""

    def __init__(self, key: bytes) -> None:
        self._key = hashlib.blake2b(key).digest()

    def proof(self) -> str:
        """Return a text that only a process with the same key can make. It shows that it may read what is masked."""
        return hashlib.blake2b(b"reveal", digest_size=32, key=self._key).hexdigest()

    def tag(self, value: bytes) -> bytes:
        """Return 16 bytes that stand for a value, and that nobody without the key can find it from."""
        return hashlib.blake2b(value, digest_size=16, key=self._key).digest()

    def id(self, value: str) -> str:
        """Return the mask of a whole id. A phone number has one mask however it is written."""
        number = _NUMBER.fullmatch(value)
        known = _NOT_DIGITS.sub("", value.partition(":")[0]) if number else value
        digest = hashlib.blake2b(known.encode("utf-8", "replace"), digest_size=DIGEST_BYTES, key=self._key)
        return f"~{digest.hexdigest()}"

    def text(self, value: str) -> str:
        """Return the text with all phone numbers masked, and all ids that contain one."""
        return _IDS.sub(self._found, value) if _HINT.search(value) else value

    def field(self, name: str, value: object) -> object:
        """Return the value of a field, masked. If its name does not decide, it is masked as a text."""
        kind = _kind(name)
        if kind is _Kind.CONTACT and isinstance(value, str | int):
            return self._contact(str(value))
        if kind is _Kind.PLAIN or not isinstance(value, str):
            return value
        return self.key(value) if kind is _Kind.KEY else self.text(value)

    def key(self, value: str) -> str:
        """Return a partition key with its contact masked; provider and account are kept."""
        provider, first, rest = value.partition(":")
        account, second, contact = rest.partition(":")
        if not (first and second):
            return self.text(value)
        return f"{provider}:{account}:{self._contact(contact)}"

    def _contact(self, value: str) -> str:
        """Return a contact, masked. A JID keeps its server, which tells its kind; a mask is not masked again."""
        user, at, server = value.rpartition("@")
        if not value or value.startswith("~"):
            return value
        return f"{self.id(user)}{at}{server}" if user else self.id(value)

    def _found(self, match: re.Match[str]) -> str:
        return match[0] if match["kept"] else self.id(match[0].removeprefix("%2B").removeprefix("%2b"))


class _Keyed:
    """The masker of this process. Its key is loaded when the first id is masked."""

    def __init__(self) -> None:
        self.key: bytes | None = None
        self.directory: Path | None = None
        self.masker: Masker | None = None

    def get(self) -> Masker:
        if self.masker is None:
            self.masker = Masker(self.key or _kept_key(self.directory))
        return self.masker


_KEYED: Final = _Keyed()


def configure(key: str | None, directory: Path | None) -> None:
    """Set the source of this process's key: `key`, else the file in `directory`."""
    _KEYED.key, _KEYED.directory, _KEYED.masker = (key.encode() if key else None), directory, None


def masker() -> Masker:
    """Return the masker of this process."""
    return _KEYED.get()


def _kept_key(directory: Path | None) -> bytes:
    """Return the key in the file, or a random one if it can't be read or created."""
    made = secrets.token_bytes(KEY_BYTES)
    if directory is None or not directory.is_dir():
        return made
    path = directory / KEY_FILE
    try:
        return path.read_bytes() if path.exists() else _put(made, path)
    except OSError:
        return made


def _put(key: bytes, path: Path) -> bytes:
    """Write the key atomically; return the key of another process if that was faster."""
    draft = path.with_name(f"{KEY_FILE}.{os.getpid()}")
    write_private(draft, key)
    try:
        os.link(draft, path)
    except FileExistsError:
        return path.read_bytes()
    finally:
        draft.unlink()
    return key
