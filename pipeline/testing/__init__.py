"""For your own tests: run stages over records in memory, without Kafka, and look at what came of them."""

from pipeline.testing.driver import StageDriver
from pipeline.testing.records import TestRecord

__all__ = ["StageDriver", "TestRecord"]
