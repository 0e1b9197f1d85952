"""Message ids as Meta makes them."""

from __future__ import annotations

import base64

from pipeline.sandbox.cloud.ids import inbound_id, outbound_id


def test_ids_have_metas_form() -> None:
    """Code that relies on the form of a wamid would first meet it in production."""
    assert inbound_id("15550001111").startswith("wamid.HBgLMTU1NTAwMDExMTEVAgASGB")
    assert outbound_id("15550001111").startswith("wamid.HBgLMTU1NTAwMDExMTEVAgARGB")
    packed = base64.b64decode(outbound_id("15550001111").removeprefix("wamid."), validate=True)
    assert packed.endswith(b"\x00")
    assert b"15550001111" in packed


def test_ids_are_unique() -> None:
    """Two messages would be one, and deduplication would eat the second."""
    assert len({outbound_id("15550001111") for _ in range(10_000)}) == 10_000
    assert len({inbound_id("15550001111") for _ in range(10_000)}) == 10_000


def test_any_recipient_gets_an_id() -> None:
    """A long group id would crash the sandbox."""
    assert outbound_id("x" * 1000).startswith("wamid.")
