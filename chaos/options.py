"""The options of a run: duration, rate and seed."""

from __future__ import annotations

from dataclasses import dataclass

from chaos.target import Target


@dataclass(frozen=True, slots=True)
class Options:
    """One run.

    Attributes:
        seconds: of traffic and faults; starting, draining and counting come on top.
        seed: what traffic and faults follow from, alone.
        rate: webhooks per second, status webhooks not counted.
        kill_every: seconds from one kill to the next, on average.
        freeze_every: seconds from one frozen worker to the next, on average; 0: none.
        contacts: people who write.
        window: seconds that the messenger waits for the status of a send in doubt. Longer than any outage of the plan:
            what is decided without the status may be decided wrongly, and would be counted.
        drain: seconds in which everything must come to rest afterwards.
        crashers: messages that end or block the process that handles them, spread evenly.
        on: whose processes are killed.
        noisy: there are noisy neighbours as well (`chaos.noisy`).
        agents: there are agents beside the bot, one of which raises and one is slow (`chaos.beside`).
    """

    seconds: float = 60.0
    seed: int = 1
    rate: float = 100.0
    kill_every: float = 7.0
    freeze_every: float = 120.0
    contacts: int = 300
    window: float = 90.0
    drain: float = 600.0
    on: Target = Target.PIPELINE
    crashers: int = 0
    noisy: bool = False
    agents: bool = False
