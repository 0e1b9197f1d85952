"""Check that each input got the expected answer and ended on the expected topic."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from chaos.fuzz.door import Door
from chaos.fuzz.traces import Traces


@dataclass(frozen=True, slots=True)
class Verdict:
    """The problems, one line each.

    Attributes:
        wrong_answers: inputs that were not answered as they should be, e.g. with a 5xx.
        lost: marks that were taken and are neither in an event nor in a dead letter.
        let_in: marks of what was refused that are in one all the same.
        deaths: processes that ended.
        restless: what had not come to rest when it was counted.
        heavy: processes that held more memory than they may.
    """

    wrong_answers: Sequence[str]
    lost: Sequence[str]
    let_in: Sequence[str]
    deaths: Sequence[str]
    restless: Sequence[str]
    heavy: Sequence[str] = ()

    @property
    def good(self) -> bool:
        return not any(self.findings().values())

    def findings(self) -> Mapping[str, Sequence[str]]:
        return {name: getattr(self, name) for name in self.__dataclass_fields__}


def judge(
    door: Door, traces: Traces, deaths: Sequence[str], restless: Sequence[str] = (), heavy: Sequence[str] = ()
) -> Verdict:
    found = traces.events | traces.letters
    lost = [_named(kind, mark) for mark, kind in door.taken.items() if mark not in found]
    let_in = [_named(kind, mark) for mark, kind in door.refused.items() if mark in found and mark not in door.taken]
    return Verdict(door.wrong, lost, let_in, deaths, restless, heavy)


def _named(kind: str, mark: bytes) -> str:
    return f"{kind} {mark.decode()}"
