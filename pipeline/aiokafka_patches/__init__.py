"""Patches of aiokafka 0.14.0, for the whole process.

Importing this package changes nothing. Call `install` before you make an aiokafka client.
"""

from __future__ import annotations

from functools import cache
from typing import Final

import aiokafka

from pipeline.aiokafka_patches import connection, header_names

AIOKAFKA_VERSION: Final = "0.14.0"
"""The version that the patches were written against."""


@cache
def install() -> None:
    """Patch aiokafka in this process. A second call does nothing. Raises `RuntimeError` for another version."""
    if aiokafka.__version__ != AIOKAFKA_VERSION:
        raise RuntimeError(f"pipeline patches aiokafka {AIOKAFKA_VERSION}, but {aiokafka.__version__} is installed")
    connection.install()
    header_names.install()
