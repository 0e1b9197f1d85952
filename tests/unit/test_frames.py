"""Places in the code: the author's first, relative, and without the text of anything."""

from __future__ import annotations

import asyncio
import importlib
import json
import re
import sys
from pathlib import Path

import pytest

from pipeline.frames import called_from, frames, is_of_author, raised_at, register


def _caught(work: object) -> BaseException:
    try:
        assert callable(work)
        work()
    except Exception as error:
        return error
    raise AssertionError("it raised nothing")


def test_the_authors_line_comes_before_the_librarys() -> None:
    """An author would be sent into the standard library for a fault of his own."""
    found = frames(_caught(lambda: json.loads("{")))
    assert re.fullmatch(r"tests/unit/test_frames\.py:\d+ <lambda>", found[0])
    assert found[-3].startswith("json/decoder.py:")
    assert found.index(next(place for place in found if place.startswith("json/"))) > 1


def test_a_package_beside_the_libraries_is_the_authors_once_it_is_registered(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """In an image a bot is installed beside its libraries, and its lines would come last, or not at all."""
    folder = tmp_path / "site-packages"
    (folder / "bot_of_an_image").mkdir(parents=True)
    (folder / "bot_of_an_image" / "bot.py").write_text("import json\n\n\ndef hook():\n    json.loads('{')\n")
    monkeypatch.syspath_prepend(folder)
    hook = importlib.import_module("bot_of_an_image.bot").hook
    assert not raised_at(_hide(hook)).startswith("bot_of_an_image")
    register("bot_of_an_image")
    assert raised_at(_hide(hook)) == "bot_of_an_image/bot.py:5 hook"


def _hide(hook: object) -> BaseException:
    """The error of a hook, without the frames of this test."""
    error = _caught(hook)
    while error.__traceback__ is not None and error.__traceback__.tb_frame.f_code.co_filename == __file__:
        error.__traceback__ = error.__traceback__.tb_next
    return error


def test_an_error_that_was_not_raised_has_no_place() -> None:
    """Naming the error of a refused output would itself raise, and end the worker."""
    assert (frames(ValueError()), raised_at(ValueError())) == ([], "")
    assert not is_of_author(ValueError())


def test_the_only_error_of_a_task_group_names_its_own_place() -> None:
    """Whoever calls services side by side would always read the line of the group."""

    async def call() -> None:
        raise ConnectionError("away")

    async def hook() -> None:
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(call())

    assert any(place.endswith(" hook") for place in frames(_caught(lambda: asyncio.run(hook()))))


def test_an_error_that_is_raised_for_ever_is_told_as_quickly_as_any() -> None:
    """A bot that keeps an error and raises it for each event would slow its worker down until it stands still."""
    kept = ValueError("kept")

    def hook() -> None:
        raise kept

    for _ in range(3_000):
        assert _caught(hook) is kept
    with pytest.MonkeyPatch.context() as patched:
        looked = 0

        def count(*_: object) -> int:
            nonlocal looked
            looked += 1
            return 0

        patched.setattr("pipeline.frames._origin", count)
        frames(kept)
    assert looked < 1_000


def test_a_caller_is_named_by_file_and_line() -> None:
    """A refused send could not be found among the many of a bot."""
    assert called_from() == f"tests/unit/test_frames.py:{sys._getframe().f_lineno}"
