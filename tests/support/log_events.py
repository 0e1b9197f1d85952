"""The log events of the project, and their table in docs/operations.md.

`python -m tests.support.log_events` writes the table from the code. It keeps the meanings that are there, takes the
`detail=` of the call for a new event, and prints events that still need a meaning.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Final, NamedTuple

from tests.support.source import ROOT, files, tree

PAGE: Final = ROOT / "docs" / "operations.md"
BEGIN: Final = "<!-- log events: python -m tests.support.log_events -->"
END: Final = "<!-- end of log events -->"
IDENTIFIER: Final = re.compile(r"[a-z][a-z0-9]*(_[a-z0-9]+)*")
LOGGERS: Final = frozenset({"log", "_log", "logger", "_logger"})
LEVELS: Final = {
    **{level: level for level in ("debug", "info", "warning", "error", "critical")},
    "exception": "error",
    "log_exception": "error",
}
"""Method of a logger to level."""


class LogEvent(NamedTuple):
    """One event with its level. `detail` is the literal text of the call, or empty."""

    name: str
    level: str
    detail: str


def events() -> list[LogEvent]:
    """Return the log events of the code, by name."""
    found: dict[tuple[str, str], str] = {}
    for file in files():
        for event in _events(tree(file)):
            found[event.name, event.level] = found.get((event.name, event.level)) or event.detail
    return [LogEvent(name, level, detail) for (name, level), detail in sorted(found.items())]


def _events(module: ast.Module) -> Iterator[LogEvent]:
    for function in ast.walk(module):
        for call in _calls(function) if isinstance(function, ast.FunctionDef | ast.AsyncFunctionDef) else ():
            if level := _level(call):
                names = _names(call.args[0], function, module)
                yield from (LogEvent(name, level, _detail(call)) for name in names)


def _calls(node: ast.AST) -> Iterator[ast.Call]:
    return (each for each in ast.walk(node) if isinstance(each, ast.Call))


def _level(call: ast.Call) -> str | None:
    """Return the level of a call of a logger; None for any other call."""
    method = call.func
    if not isinstance(method, ast.Attribute) or method.attr not in LEVELS or not call.args:
        return None
    return LEVELS[method.attr] if _name(method.value) in LOGGERS or method.attr == "log_exception" else None


def _name(node: ast.expr) -> str | None:
    """Return the last name of an expression: `_log` of `self._log`."""
    return node.id if isinstance(node, ast.Name) else node.attr if isinstance(node, ast.Attribute) else None


def _names(event: ast.expr, function: ast.AST, module: ast.Module) -> Iterator[str]:
    """Yield the names of an event: a literal, or the literals that are passed for a parameter of the function."""
    match event:
        case ast.Constant(value=str(text)):
            yield text.partition(": ")[0] if "%" in text else text
        case ast.IfExp(body=body, orelse=orelse):
            yield from _names(body, function, module)
            yield from _names(orelse, function, module)
        case ast.Name(id=parameter) if isinstance(function, ast.FunctionDef | ast.AsyncFunctionDef):
            for argument in _passed(parameter, function, module):
                yield from _names(argument, module, module)
        case _:
            yield ast.unparse(event)


def _passed(parameter: str, function: ast.FunctionDef | ast.AsyncFunctionDef, module: ast.Module) -> Iterator[ast.expr]:
    """Yield what the calls in the module pass for a parameter of a function."""
    parameters = [each.arg for each in function.args.args if each.arg != "self"]
    for call in _calls(module):
        if _name(call.func) == function.name:
            by_name = {each.arg: each.value for each in call.keywords}
            yield from ([by_name[parameter]] if parameter in by_name else [])
            yield from [value for name, value in zip(parameters, call.args, strict=False) if name == parameter]


def _detail(call: ast.Call) -> str:
    for keyword in call.keywords:
        if keyword.arg == "detail" and isinstance(keyword.value, ast.Constant):
            return str(keyword.value.value)
    return ""


def documented(page: str) -> dict[tuple[str, str], str]:
    """Return the meanings in the table of a page, by event and level."""
    _, _, section = page.partition(BEGIN)
    rows = re.findall(r"^\| `(.+?)` \| (\w+) \| (.*?) \|$", section.partition(END)[0], re.M)
    return {(name, level): meaning for name, level, meaning in rows}


def table(meanings: Mapping[tuple[str, str], str]) -> str:
    """Return the table of all log events."""
    rows = [f"| `{name}` | {level} | {meanings.get((name, level)) or detail} |" for name, level, detail in events()]
    return "\n".join(["| event | level | meaning |", "| --- | --- | --- |", *rows])


def write(path: Path = PAGE) -> list[str]:
    """Write the table into the page; return the events without a meaning."""
    page = path.read_text()
    before, _, rest = page.partition(BEGIN)
    _, _, after = rest.partition(END)
    path.write_text(f"{before}{BEGIN}\n{table(documented(page))}\n{END}{after}")
    return [name for (name, _), meaning in documented(path.read_text()).items() if not meaning]


if __name__ == "__main__":
    for event in write():
        print(f"{event} needs a meaning")
