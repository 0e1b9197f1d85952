"""The output of `pipeline up`, on a terminal or in a file."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Final

from rich.console import Console
from rich.markup import escape

from pipeline.local.failures import FailureLines
from pipeline.local.ports import Ports
from pipeline.local.services import INSTANCE_ID, LOOPBACK, Service, verbs
from pipeline.tenants import Tenant

_COLOURS: Final = ("cyan", "green", "magenta", "yellow", "blue", "bright_cyan", "bright_green", "bright_magenta")
LOCAL_KEY: Final = "local-"
"""Prefix of API keys that are made for one run on this machine."""
SAMPLE_KEY: Final = "sandbox-"
_SEND: Final = {"recipient": "15550001111", "text": "Your parcel is on its way."}
_HELLO: Final = {"provider": "cloud", "account": "106540352242922", "from": "15550001111", "text": "hello"}


class StackReporter:
    """Prints progress lines, then one screen, then the children's output with their names."""

    def __init__(
        self, console: Console, ports: Ports, data_dir: Path, tenants: Iterable[Tenant] = (), *, agents: bool = False
    ) -> None:
        self._console = console
        self._ports = ports
        self._data_dir = data_dir
        self._api_key = _api_key(tenants)
        self._verbs = verbs(agents)
        self._colours: dict[str, str] = {}
        self._failures = FailureLines()

    def ready(self, service: Service, seconds: float) -> None:
        self._print(f"[green]✓[/] {service.name:<10} {service.where or 'done':<32} [dim]{seconds:5.1f} s[/]")

    def slow(self, name: str, seconds: float, sign: str, log: Path) -> None:
        why = f"it gets on ({sign})" if sign else "it has shown no sign of life yet"
        self._print(f"[yellow]…[/] {name:<10} is still starting after {seconds:.0f} s: {why}. Its log is {log}")

    def died(self, name: str, why: str, log: Path, lines: Sequence[str], deaths: int) -> None:
        self._print(f"[red]✗ {name} {why}[/] (death {deaths} of the last minute). The end of {log}:")
        for line in lines:
            self._print(f"    [dim]{escape(line)}[/]")

    def gave_up(self, name: str, log: Path) -> None:
        self._print(f"[red]✗ {name} can't be kept running: stopping everything. Its log is {log}[/]")

    def reloading(self, name: str, changed: Sequence[Path]) -> None:
        """Tell of changed code; the line of `ready` follows when it runs."""
        more = f" and {len(changed) - 1} more" if changed[1:] else ""
        self._print(f"[cyan]↻[/] {name:<10} {escape(_from_here(changed[0]))}{more} changed")

    def not_reloaded(self, name: str, why: str, *, goes_on: bool) -> None:
        then = "the old code goes on" if goes_on else "it waits for the next change"
        self._print(f"[red]✗ {name} was not reloaded, {then}: {escape(why)}[/]")

    def all_ready(self, seconds: float) -> None:
        self._print(f"\n[bold]Ready in {seconds:.1f} s.[/]\n")
        for name, where, purpose in self._addresses():
            self._print(f"  [bold]{name:<10}[/] {where:<32} [dim]{purpose}[/]")
        for line in _advice(self._ports, self._data_dir, self._api_key):
            self._print(line)

    def output(self, name: str, lines: Sequence[str]) -> None:
        colour = self._colours.setdefault(name, _COLOURS[len(self._colours) % len(_COLOURS)])
        for line in lines:
            self._print(f"[{colour}]{name:>10} │[/] {escape(line)}")

    def failed(self, name: str, lines: Sequence[str]) -> None:
        for line in self._failures.of(name, lines):
            self._print(line)

    def stopping(self) -> None:
        self._print("Stopping…")

    def stopped(self, killed: Sequence[str], seconds: float) -> None:
        forced = f" ({', '.join(killed)} had to be killed)" if killed else ""
        self._print(f"Stopped in {seconds:.1f} s{forced}. The data stays in {self._data_dir}.")

    def _print(self, line: str) -> None:
        self._console.print(line, highlight=False, soft_wrap=True)

    def _addresses(self) -> list[tuple[str, str, str]]:
        ports = self._ports._asdict()
        serving = [verb for verb in reversed(self._verbs) if not verb.once]
        return [
            *((verb.name, f"http://{LOOPBACK}:{ports[verb.name]}", verb.purpose) for verb in serving),
            ("kafka", f"{LOOPBACK}:{self._ports.kafka}", "bootstrap server"),
            ("redis", f"redis://{LOOPBACK}:{self._ports.redis}/0", "caches"),
        ]


def _from_here(path: Path) -> str:
    """Return a path as seen from the working directory, if it is below it."""
    here = Path.cwd()
    return str(path.relative_to(here) if path.is_relative_to(here) else path)


def _api_key(tenants: Iterable[Tenant]) -> str | None:
    """Return an API key for the example: a local or sample key as it is, otherwise a placeholder."""
    keys = [key.get_secret_value() for tenant in tenants for key in tenant.api_keys]
    shown = next((key for key in keys if key.startswith((LOCAL_KEY, SAMPLE_KEY))), None)
    return shown or ("$PIPELINE_API_KEY" if keys else None)


def _send(ports: Ports, key: str) -> list[str]:
    url = f"http://{LOOPBACK}:{ports.ingress}/api/whatsapp/messages/send-text"
    return [
        "\n  Send one as another system would:\n",
        f"    curl {url} -H 'content-type: application/json' \\",
        f"      -H \"authorization: Bearer {escape(key)}\" -d '{escape(json.dumps(_SEND))}'",
    ]


def _advice(ports: Ports, data_dir: Path, api_key: str | None) -> list[str]:
    sandbox = f"http://{LOOPBACK}:{ports.sandbox}"
    return [
        f"\n  Chat with the bot in your browser: [bold]{sandbox}/chat[/]",
        "\n  Or send a message as a user would, then look at the reply:\n",
        f"    curl {sandbox}/_sandbox/receive -H 'content-type: application/json' \\",
        f"      -d '{escape(json.dumps(_HELLO))}'",
        f"    curl {sandbox}/_sandbox/sent",
        *(_send(ports, api_key) if api_key else ()),
        f"\n  Logs: {data_dir / 'logs'}. Metrics: /metrics of the ingress and of each worker.",
        f"  Each worker's instance id is {INSTANCE_ID}; one beside it needs another, as in PIPELINE_INSTANCE_ID=2.",
        "  Stop with Ctrl-C. The next start continues with this data, with --fresh it begins anew.",
    ]
