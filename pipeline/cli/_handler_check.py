"""Import handlers and agents as a worker does: in a process of their own, with its environment and search path.

What a handler's module does when it is imported, it does there: start threads, print, hang, or end the process.
"""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterable, Mapping
from dataclasses import asdict
from typing import TYPE_CHECKING, Any, Final

from pipeline.errors import ConfigurationError, UsageError

if TYPE_CHECKING:
    from pipeline.settings import Settings
    from pipeline.tenants import Tenants
    from pipeline.topics.agents import AgentEntry

TIMEOUT: Final = 60.0
"""Seconds for importing all handlers."""
_COMMAND: Final = (sys.executable, "-P", "-m", "pipeline.cli._handler_check")
_RESULT: Final = "\x1ehandler "
"""Begin of a line with a result. What a module prints is between such lines."""


def handler_names(settings: Settings, tenants: Tenants | None) -> list[str]:
    """Return the paths of all handlers of the settings and the tenants."""
    return sorted({settings.handler} | {tenant.handler for tenant in tenants or () if tenant.handler})


def require_handlers(names: Iterable[str], agents: Iterable[AgentEntry], environ: Mapping[str, str] | None) -> None:
    """Raise `UsageError` with one line for each handler or agent that a worker can't use."""
    if problems := [problem for problem in find_problems(names, agents, environ).values() if problem]:
        raise UsageError("\n".join(problems))


def find_problems(
    names: Iterable[str],
    agents: Iterable[AgentEntry] = (),
    environ: Mapping[str, str] | None = None,
    timeout: float = TIMEOUT,
) -> dict[str, str]:
    """Return one line for each handler and agent: its problem, or nothing. `environ` is the worker's; None: ours.

    The key is the path of a handler, and `<id>: <path>` of an agent.
    """
    wanted = dict.fromkeys(names) | {f"{each.id}: {each.agent}": asdict(each) for each in agents}
    try:
        done = subprocess.run(  # noqa: S603 - our own command
            _COMMAND,
            input=json.dumps(wanted),
            env=environ,
            capture_output=True,
            text=True,
            timeout=timeout,
            check=False,
        )
        output, end = done.stdout, _end(done)
    except subprocess.TimeoutExpired as error:
        output, end = _text(error.stdout), f"does not end within {timeout:g} s: do slow work in the hook, not on import"
    found = _results(output)
    missing = [name for name in wanted if name not in found]
    return found | {name: f"importing the handler {name} {end}" for name in missing[:1]}


def _end(done: subprocess.CompletedProcess[str]) -> str:
    last = (done.stderr.strip().splitlines() or [""])[-1]
    return f"ends the process (exit status {done.returncode}){': ' if last else ''}{last}"


def _text(output: bytes | str | None) -> str:
    return output.decode(errors="replace") if isinstance(output, bytes) else output or ""


def _results(output: str) -> dict[str, str]:
    lines = [line.partition(_RESULT)[2] for line in output.split("\n") if _RESULT in line]
    return dict(json.loads(line) for line in lines)


def _problem(name: str, agent: Mapping[str, Any] | None, handler_timeout: float) -> str:
    from pipeline.handlers import EventHandler
    from pipeline.handlers.agents import load_agent
    from pipeline.handlers.loading import load_handler
    from pipeline.handlers.runner import check_handler
    from pipeline.topics.agents import AgentEntry

    try:
        found = load_agent(AgentEntry(**agent)) if agent else load_handler(name)
        if isinstance(found, EventHandler):
            check_handler(name, found, handler_timeout)
    except ConfigurationError as error:
        return str(error)
    return ""


def _main() -> None:
    from pipeline.cli import import_from_here_too
    from pipeline.settings import load_settings

    import_from_here_too()
    timeout = load_settings().handler_timeout
    for name, agent in json.load(sys.stdin).items():
        print(f"{_RESULT}{json.dumps([name, _problem(name, agent, timeout)])}", flush=True)


if __name__ == "__main__":
    _main()
