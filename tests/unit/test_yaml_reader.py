"""YAML that is read from events is what PyYAML's safe loader makes of it."""

from __future__ import annotations

import io
from typing import Any

import pytest
import yaml
from hypothesis import example, given
from hypothesis import strategies as st

from pipeline.yaml_reader import line_of, read_yaml

SCALARS = st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=12) | st.dates()
VALUES = st.recursive(
    SCALARS,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8) | st.integers(), inner, max_size=4),
    max_leaves=12,
)
_SYNTAX = "a,b,: ,\n,  ,- ,? ,&x ,*x,<<: ,{,},[,],!!str ,!!int ,!t ,',\",|\n,# c,---\n,...\n"
_SCALARS = "12,012,0x1f,1_000,1:30,1.5,.inf,yes,null,~,=,2020-01-02,é,é: 1\n"
PIECES = st.sampled_from([", ", *_SYNTAX.split(","), *_SCALARS.split(",")])
"""Parts of YAML documents, to be put together at random."""


@given(VALUES)
@example({"\x85": None})
def test_what_was_dumped_is_read_again(value: Any) -> None:
    """A tenants file that a program wrote would mean something else to the pipeline."""
    assert read_yaml(yaml.safe_dump(value)) == value
    unescaped = yaml.safe_dump(value, default_flow_style=True, allow_unicode=True)
    assert read_yaml(unescaped) == yaml.safe_load(unescaped), (
        "which is another value where a line break was not escaped"
    )


@given(st.lists(PIECES, max_size=14).map("".join))
@example("base: &b {lane: gold, id: x}\nt:\n  - {<<: *b, id: y}\n  - <<: [{lane: silver}, *b]\n    k: 1\n")
@example("{<<: {a: 1}, <<: {a: 2, b: 3}, b: 4}")
@example("&k a: 1\nb: *k\n&m a: 2\nc: *m\n")
@example("a: &x [1, {b: &y c}]\nd: [*x, *y]\n")
@example("a: !!str 12\nb: !!int '12'\nc: ! 12\nd: !!float 3\ne: !!null ''\nf: !!binary aGk=\n")
@example("- =\n")
@example("=: 1\n")
@example("<<: 1\n")
@example("? [a]\n: 1\n")
@example("a: *nobody\n")
@example("a: &x 1\nb: &x 2\n")
@example("a\n---\nb\n")
@example('{"tenants": [{"id": "a", "api_keys": ["k"]}]}')
def test_any_text_is_read_as_by_the_safe_loader(text: str) -> None:
    """Somebody's file would be refused, or read otherwise, after an upgrade."""
    assert _outcome(read_yaml, text) == _outcome(lambda each: yaml.load(each, yaml.CSafeLoader), text)


def _outcome(load: Any, text: str) -> str:
    """Return the value as text, because of NaN and of lists that contain themselves; or that there is none."""
    try:
        return repr(load(text))
    except (yaml.YAMLError, ValueError, RecursionError):
        return "error"
    except (LookupError, AttributeError):
        assert load is not read_yaml, "PyYAML's own mistake with a tag that does not fit must be an error for people"
        return "error"


@pytest.mark.parametrize("text", ["a: !!set {b}", "a: !!omap [b: 1]", "a: !!python/object:os.system {}", "a: !t [1]"])
def test_a_tag_that_makes_something_else_is_an_error(text: str) -> None:
    """A file could make objects that no field takes, or run code."""
    with pytest.raises(yaml.YAMLError, match="tag"):
        read_yaml(text)


def test_items_are_converted_before_the_next_one_is_read() -> None:
    """All tenants would be in memory twice, as they were written and as models."""
    read = io.StringIO("tenants:\n" + "".join(f"  - {{id: t{number:05}}}\n" for number in range(10_000)))
    positions: list[int] = []

    def convert(position: int, item: dict[str, str]) -> str:
        positions.append(read.tell())
        return f"{position} is {item['id']}"

    found = read_yaml(read, {"tenants": convert})["tenants"]
    assert (found[7], found[9_999], len(found)) == ("7 is t00007", "9999 is t09999", 10_000)
    assert len(set(positions)) > 5, "the whole file had been read before the first item was converted"


def test_only_the_lists_that_are_named_are_converted() -> None:
    """A list deeper in the file would be taken for the tenants."""
    text = "tenants: [1]\nothers: [2]\nnested: {tenants: [3]}\n"
    assert read_yaml(text, {"tenants": lambda _, item: -item}) == yaml.safe_load(text) | {"tenants": [-1]}


def test_names_of_fields_are_in_memory_once() -> None:
    """Every account would bring the names of its fields along."""
    first, second = read_yaml("- {some_field: 1}\n- {some_field: 2}\n")
    assert next(iter(first)) is next(iter(second))


def test_no_node_is_made(monkeypatch: pytest.MonkeyPatch) -> None:
    """A large file would take minutes and a gigabyte again: PyYAML's own loaders make a node of each value first."""

    def refuse(*_: object) -> None:
        raise AssertionError("PyYAML's own loader was used")

    for name in ("scan", "fetch_more_tokens"):
        monkeypatch.setattr(yaml.scanner.Scanner, name, refuse, raising=False)
    monkeypatch.setattr(yaml.composer.Composer, "compose_node", refuse)
    monkeypatch.setattr(yaml.constructor.SafeConstructor, "construct_mapping", refuse)
    monkeypatch.setattr(yaml.constructor.BaseConstructor, "construct_sequence", refuse)
    assert read_yaml("a: [1, {b: x}]\nc: yes\n") == {"a": [1, {"b": "x"}], "c": True}
    assert yaml.__with_libyaml__, "this PyYAML was built without libyaml"


FILE = """\
# a comment
apps: []
tenants:
  - id: a
    accounts:
      - {id: 1}
      - id: 2
        token: x
  - <<: {id: merged}
    lane: gold
"""


@pytest.mark.parametrize(
    ("path", "line"),
    [
        ((), 2),
        (("apps",), 2),
        (("tenants",), 3),
        (("tenants", 0), 4),
        (("tenants", 0, "accounts", 1, "token"), 8),
        (("tenants", 0, "accounts", 0, "token"), 6),
        (("tenants", 0, "nothing"), 4),
        (("tenants", 1, "lane"), 10),
        (("tenants", 1, "id"), 9),
        (("tenants", 9), 3),
        (("nothing", 1), 2),
    ],
)
def test_the_line_of_a_value(path: tuple[str | int, ...], line: int) -> None:
    """A user who corrects a file of ten thousand tenants would count them by hand."""
    assert line_of(io.StringIO(FILE), path) == line


@pytest.mark.parametrize("text", ["", "# nothing\n", "---\n"])
def test_a_file_without_content_has_a_line_too(text: str) -> None:
    """The error of an empty file would be a traceback."""
    assert line_of(text, ("tenants", 0)) in {1, 2}
