"""Handlers as a user writes them, read by mypy and pyright only: `make lint` runs both over these files.

`assert_type` fails where a result has another type, an ignore comment where the call beside it is no error.
"""
