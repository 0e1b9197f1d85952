"""The candidates."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from bench.broker import RAW_SHORT
from pipeline.topics.catalogue import INTAKE, RAW


@dataclass(frozen=True, slots=True)
class Candidate:
    """One of the compared.

    Attributes:
        module: what is run.
        group: its consumer group.
        source: the topic that it reads.
        chain: it parses, deduplicates and routes.
        share: the part of the records that it is given.
    """

    name: str
    module: str
    group: str
    source: str = RAW.name
    chain: bool = True
    share: float = 1.0


OURS: Final = Candidate("this pipeline", "bench.intake.ours", INTAKE)
STOCK: Final = Candidate("stock Faust", "bench.intake.stock", INTAKE, RAW_SHORT, share=0.2)
BARE: Final = Candidate("bare aiokafka", "bench.intake.bare", "bare", chain=False)
CANDIDATES: Final = (OURS, STOCK, BARE)
