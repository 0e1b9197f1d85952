"""The inputs of the fuzz run: what each is told by."""

from __future__ import annotations

from random import Random

from chaos.fuzz.inputs import MARK, Ticket
from chaos.fuzz.kinds import garbled


def test_a_garbled_input_never_holds_the_mark_of_another() -> None:
    """A run would say that a forged webhook was let in, for a digit that was hit in an authentic one."""
    ticket = Ticket(56_540, Random("21:56540"))
    assert set(MARK.findall(garbled(ticket).body)) <= {ticket.mark().encode()}
    for number in range(2_000):
        ticket = Ticket(number, Random(number))
        assert set(MARK.findall(garbled(ticket).body)) <= {ticket.mark().encode()}
