"""The version of a record's format, as its header says it."""

from __future__ import annotations

import pytest

from pipeline.errors import NewerRecord
from pipeline.testing import TestRecord
from pipeline.topics.headers import VERSION
from pipeline.topics.versions import READABLE, require_readable


@pytest.mark.parametrize("version", [b"", b"0", b"1", b"-2", b"2.0", b"two", "²".encode(), b"9" * 5000])
def test_a_version_that_is_none_is_read_as_the_first(version: bytes) -> None:
    """A header that anybody wrote would stop a flow, or keep a record that can be read for ever."""
    require_readable(TestRecord(b"", headers=((VERSION, version),)))


@pytest.mark.parametrize("version", [READABLE + 1, 999_999_999])
def test_a_newer_version_is_not_read(version: int) -> None:
    """A worker would act on a record that it misunderstands."""
    with pytest.raises(NewerRecord):
        require_readable(TestRecord(b"", headers=((VERSION, b"%d" % version),)))
