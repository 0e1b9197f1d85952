"""docs/tutorial.md, as far as it needs no stack."""

from __future__ import annotations

from pathlib import Path

from tests.support.doc_blocks import DOCS, blocks
from tests.support.tutorial import before_the_stack, run, to_run, write


def test_a_reader_comes_to_the_running_stack_without_an_error(tmp_path: Path) -> None:
    """Newcomers would stop at the first step that fails."""
    ran: list[str] = []
    for block in before_the_stack():
        write(block, tmp_path)
        for command in to_run(block):
            done = run(command, tmp_path)
            assert done.returncode == 0, f"{block.name}: {done.stdout}{done.stderr}"
            ran.append(done.stdout)
    assert len(ran) >= 6
    assert all(" passed" in said or "wrote " in said for said in ran)


def test_it_shows_what_the_first_command_prints(tmp_path: Path) -> None:
    """Readers would think that something went wrong."""
    (shown,) = (block.text for block in blocks(DOCS / "tutorial.md") if block.text.startswith("wrote "))
    for block in before_the_stack():
        write(block, tmp_path)
        if to_run(block):
            break
    (command,) = to_run(block)
    for path in ("tea_shop", "tests"):
        assert not (tmp_path / path).exists()
    assert run(command, tmp_path).stdout == shown
