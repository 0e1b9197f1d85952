"""The sends of the messenger as docs/messaging.md shows them.

    python -m tests.support.sends

writes the signatures into the page, and the page's code into `tests/typing/messaging_page.py`, where mypy and pyright
read it as a user's. A signature is the first `py` block below the heading that is the method's name.
"""

from __future__ import annotations

import inspect
import re
from textwrap import indent
from typing import Final, get_type_hints

from pipeline.handlers import IMessenger
from pipeline.handlers.messenger import Messenger
from pipeline.providers import PROVIDERS
from pipeline.topics.commands import CommandKind
from tests.support.doc_blocks import DOCS, ROOT, Block, Shape, running, shape_of

PAGE: Final = DOCS / "messaging.md"
TYPED: Final = ROOT / "tests" / "typing" / "messaging_page.py"
SENDS: Final = frozenset(
    name for name in dir(IMessenger) if name[0] != "_" and inspect.iscoroutinefunction(getattr(IMessenger, name))
)
_TITLES: Final = {"cloud": "Cloud API", "wasender": "Wasender", "wawp": "Wawp", "waha": "WAHA"}
_WIDTH: Final = 84
_SECTION: Final = re.compile(r"^### (\w+)\n(.*?)(?=^##)", re.M | re.S)
_SIGNATURE: Final = re.compile(r"^```py\n.*?^```\n", re.M | re.S)


def kind_of(name: str) -> CommandKind:
    """Return the kind of command that a send becomes, as its source names it, or that of the send that it calls."""
    source = inspect.getsource(getattr(Messenger, name))
    if found := re.search(r"CommandKind\.([A-Z_]+)", source):
        return CommandKind[found[1]]
    return kind_of(re.findall(r"self\.(\w+)\(", source)[0])


def providers_of(name: str) -> list[str]:
    """Return the providers that can do a send, in the order of the tables."""
    return [provider for provider in _TITLES if kind_of(name) in PROVIDERS[provider].kinds]


def signature(name: str) -> str:
    """Return the block of a send: its providers, its parameters, their types and defaults."""
    method = getattr(IMessenger, name)
    hints = get_type_hints(method)
    parameters = [each for each in inspect.signature(method).parameters.values() if each.name != "self"]
    given = [_parameter(each, hints) for each in parameters]
    if named := [number for number, each in enumerate(parameters) if each.kind is inspect.Parameter.KEYWORD_ONLY]:
        given.insert(named[0], "*")
    call = f"{name}({', '.join(given)})"
    if len(call) > _WIDTH:
        call = "".join([f"{name}(\n", *(f"    {each},\n" for each in given), ")"])
    providers = ", ".join(_TITLES[each] for each in providers_of(name))
    return f"```py\n# {providers}\n{call}\n```\n"


def _parameter(parameter: inspect.Parameter, hints: dict[str, object]) -> str:
    if parameter.kind is inspect.Parameter.VAR_KEYWORD:
        return f"**{parameter.name}"
    plain = re.sub(r"\b(?:\w+\.)+(?=\w)", "", inspect.formatannotation(hints[parameter.name]))
    known = f"{parameter.name}: {plain.replace('Mapping[str, Any]', 'dict').replace('Outbound', '')}"
    default = f'"{parameter.default}"' if isinstance(parameter.default, str) else repr(parameter.default)
    return known if parameter.default is inspect.Parameter.empty else f"{known} = {default}"


def sections(page: str) -> dict[str, str]:
    """Return the text below each heading of the third level that is the name of a send."""
    return {name: text for name, text in _SECTION.findall(page) if name in SENDS}


def with_signatures(page: str) -> str:
    """Return a page with the signatures of the code."""

    def renewed(found: re.Match[str]) -> str:
        name = found[1]
        return _SIGNATURE.sub(lambda _: signature(name), found[0], count=1) if name in SENDS else found[0]

    return _SECTION.sub(renewed, page)


def typed() -> str:
    """Return the code of the page as one module."""
    return _HEAD + "".join(_typed(block) for block in running(PAGE) if block.language == "python")


def _typed(block: Block) -> str:
    name = f"Block{block.line}"
    match shape_of(block.text):
        case Shape.HOOKS:
            return f"\n\nclass {name}(EventHandler):\n{indent(block.text, '    ')}"
        case Shape.BODY:
            return f"\n\nclass {name}(EventHandler):\n{_HOOK}\n{indent(block.text, '        ')}"
        case Shape.MODULE:
            return f"\n\n{block.text}"


_HEAD: Final = '''"""The code of docs/messaging.md, written by `python -m tests.support.sends`."""

# ruff: noqa
# fmt: off
# pyright: reportDuplicateImport=false
from __future__ import annotations

from pipeline import EventHandler, MessageEvent, StatusEvent
'''
_HOOK: Final = "    async def process_message(self, webhook: MessageEvent) -> None:"

if __name__ == "__main__":
    PAGE.write_text(with_signatures(PAGE.read_text()))
    TYPED.write_text(typed())
