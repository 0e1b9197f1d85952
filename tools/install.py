"""Install the packages of a lock into this environment, and show how far it is: `python tools/install.py LOCK`.

It runs before anything is installed, so it imports nothing but the standard library.
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
import time
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Final

_PIP: Final = ("pip", "--disable-pip-version-check", "install", "--no-deps", "--progress-bar", "off")
_STEP: Final = re.compile(r"(?:Collecting|Requirement already satisfied:|Ignoring) ([\w.-]+)")
_UNPACKING: Final = "Installing collected packages: "
_EVERY: Final = 10
"""Packages from one line to the next where lines can't be overwritten."""


def main(lock: str) -> int:
    """Install a lock; return pip's exit status. What pip said is shown only if it failed."""
    total = sum(line[:1].isalnum() for line in Path(lock).read_text().splitlines())
    began = time.monotonic()
    _show(f"Installing {total} packages of {lock} into {sys.prefix}\n")
    with subprocess.Popen(  # noqa: S603 - our own command
        [sys.executable, "-m", *_PIP, "-r", lock],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        env={**os.environ, "PYTHONUNBUFFERED": "1"},
    ) as pip:
        assert pip.stdout is not None
        said: list[str] = []
        for line in progress(_kept(pip.stdout, said), total, overwrite=sys.stdout.isatty()):
            _show(line)
    if pip.returncode:
        sys.stderr.writelines(said)
    else:
        _show(f"  done in {time.monotonic() - began:.0f} s\n")
    return pip.returncode


def progress(said: Iterable[str], total: int, *, overwrite: bool) -> Iterator[str]:
    """Yield what to show for the lines that pip says; `overwrite` says whether one line can replace the last."""
    count = 0
    for line in said:
        if found := _STEP.match(line):
            count += 1
            if overwrite:
                yield f"\r\x1b[K  {count} of {total}  {found[1]}"
            elif count % _EVERY == 0:
                yield f"  {count} of {total}\n"
        elif line.startswith(_UNPACKING):
            text = f"  unpacking {line.count(',') + 1} packages ..."
            yield f"\r\x1b[K{text}" if overwrite else f"{text}\n"
    if overwrite:
        yield "\r\x1b[K"


def _kept(lines: Iterable[str], kept: list[str]) -> Iterator[str]:
    for line in lines:
        kept.append(line)
        yield line


def _show(text: str) -> None:
    sys.stdout.write(text)
    sys.stdout.flush()


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1]))
