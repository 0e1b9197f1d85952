"""Check that every input had its effect: once, in order, and the same everywhere."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from chaos.evidence import Effect, Evidence, Person, Row
from chaos.webhooks import Message

Input = tuple[str, str, int]
"""Account, phone number and place of a message."""


@dataclass(frozen=True, slots=True)
class Verdict:
    """The problems, one line each. A run is good if all are empty.

    Attributes:
        missing: inputs without an effect.
        double: inputs with more than one effect.
        unasked: effects without an input.
        disordered: effects that came before one of an earlier input of the same contact.
        state: people whose rows in Redis are not what their messages make of them.
        unaccepted: commands whose outcomes say something else than accepted, and effects whose command has none.
        spared: messages that crash their handler and are no dead letter, and dead letters that are none of those.
        restless: what had not come to rest when it was counted.
        untested: what was to happen and did not, so that the run proves nothing of it.
        miscounted: people whose messages an agent beside the bot has not counted as often as they were taken.
    """

    missing: Sequence[str]
    double: Sequence[str]
    unasked: Sequence[str]
    disordered: Sequence[str]
    state: Sequence[str]
    dead_letters: Sequence[str]
    violations: Sequence[str]
    unaccepted: Sequence[str]
    spared: Sequence[str]
    restless: Sequence[str]
    untested: Sequence[str]
    miscounted: Sequence[str] = ()

    @property
    def good(self) -> bool:
        return not any(self.findings().values())

    def findings(self) -> dict[str, Sequence[str]]:
        return {name: getattr(self, name) for name in self.__dataclass_fields__}


def judge(
    accepted: Iterable[Message],
    evidence: Evidence,
    restless: Sequence[str] = (),
    untested: Sequence[str] = (),
    *,
    handled: bool = True,
    miscounted: Sequence[str] = (),
) -> Verdict:
    """Compare what was taken with what came of it. An aside that has an effect doubles that of its place.

    `handled`: False: no handler ran, so there are no rows of people.
    """
    everything = [message for message in accepted if not message.aside]
    inputs = {_input(message): message for message in everything if not message.crashes}
    killers = {message.id for message in everything if message.crashes}
    effects: dict[Input, list[Effect]] = defaultdict(list)
    for effect in evidence.effects:
        effects[effect[:3]].append(effect)
    return Verdict(
        missing=[message.id for key, message in inputs.items() if key not in effects],
        double=[_double(found) for key, found in effects.items() if len(found) > 1],
        unasked=[_name(key) for key in effects if key not in inputs],
        disordered=_disordered(evidence.effects),
        state=_state(inputs.values(), evidence.rows) if handled else [],
        dead_letters=evidence.dead_letters,
        violations=evidence.violations,
        unaccepted=_unaccepted(evidence),
        spared=sorted(killers ^ evidence.given_up),
        restless=restless,
        untested=untested,
        miscounted=miscounted,
    )


def _input(message: Message) -> Input:
    return message.contact.number.id, message.contact.phone, message.place


def _name(key: Input) -> str:
    return "wamid.chaos." + ".".join(str(part) for part in key)


def _double(found: Sequence[Effect]) -> str:
    times = ", ".join(f"{effect.command_id} at {effect.at:.3f}" for effect in found)
    return f"{_name(found[0][:3])}: {times}"


def _disordered(effects: Iterable[Effect]) -> list[str]:
    """Only first effects are looked at: a second one of an input is double and not disorder."""
    first: dict[Input, Effect] = {}
    for effect in effects:
        first.setdefault(effect[:3], effect)
    last: dict[tuple[str, str], int] = {}
    found = []
    for account, phone, place, command_id, at in first.values():
        before = last.get((account, phone), -1)
        if place < before:
            found.append(f"{_name((account, phone, place))} came after {before} ({command_id} at {at:.3f})")
        last[account, phone] = max(place, before)
    return found


def _state(messages: Iterable[Message], rows: Mapping[Person, Row]) -> list[str]:
    expected: dict[Person, list[int]] = defaultdict(list)
    for message in messages:
        expected[message.contact.number.tenant, message.contact.phone].append(message.place)
    found = []
    for person in {**expected, **rows}:
        places = sorted(expected.get(person, ()))
        row = rows.get(person, Row(0, ()))
        if row != Row(len(places), places):
            told = f"{len(places)} messages, counted {row.counted}, handled {_gaps(row.places, places)}"
            found.append(f"{':'.join(person)}: {told}")
    return found


def _gaps(places: Sequence[int], expected: Sequence[int]) -> str:
    """Return the first difference between the places that were handled and those expected."""
    at = next(
        (n for n, (place, wanted) in enumerate(zip(places, expected, strict=False)) if wanted != place), len(expected)
    )
    return f"{len(places)}, in order up to {at}: then {list(places[at : at + 5])}"


def _unaccepted(evidence: Evidence) -> list[str]:
    outcomes: dict[str, Sequence[str]] = {effect.command_id: () for effect in evidence.effects}
    told = {**outcomes, **evidence.outcomes}
    return [f"{command}: {', '.join(said) or 'nothing'}" for command, said in told.items() if set(said) != {"accepted"}]
