"""Reads YAML as `yaml.safe_load` does, from libyaml's events.

PyYAML's own loaders make a node of every value first: 430 MB for 50,000 accounts, in 30 s by the pure Python loader and
in 3 s by the one over libyaml. Here a value is made where its event comes, and an item of a long list can be
converted before the next one is read.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from sys import intern
from typing import IO, Any, Final, TypeAlias

import yaml
from yaml.composer import ComposerError
from yaml.constructor import ConstructorError
from yaml.events import (
    CollectionEndEvent,
    CollectionStartEvent,
    DocumentEndEvent,
    DocumentStartEvent,
    MappingStartEvent,
    ScalarEvent,
    SequenceStartEvent,
    StreamEndEvent,
)
from yaml.nodes import ScalarNode
from yaml.resolver import Resolver

Converter: TypeAlias = Callable[[int, Any], object]
"""Takes the position and the content of a list's item, and returns what the list holds instead."""

_PREFIX: Final = "tag:yaml.org,2002:"
_INTEGER: Final = _PREFIX + "int"
_PLAIN_TAGS: Final = frozenset({None, "!", _PREFIX + "map", _PREFIX + "seq"})
_IMPLICIT: Final[Mapping[str, Sequence[tuple[str, Any]]]] = Resolver.yaml_implicit_resolvers
"""Tags of plain scalars and their patterns, by first character: `12` is a number, `no` is false."""
_NO_CONVERTERS: Final[Mapping[str, Converter]] = {}


def read_yaml(stream: IO[str] | str, converters: Mapping[str, Converter] = _NO_CONVERTERS) -> Any:
    """Return the content of a document.

    Args:
        converters: by key of the top mapping, what converts the items of the list there, one by one as they are read.

    Raises `yaml.YAMLError` and `ValueError` as `yaml.safe_load` does, `RecursionError` for one that is nested too
    deep, and what a converter raises.
    """
    return _DocumentBuilder(_open(stream)).build(converters)


def line_of(stream: IO[str] | str, path: Sequence[object]) -> int:
    """Return the line, from 1, of what is at `path`, a sequence of keys and positions, or of what is nearest to it."""
    next_event = _open(stream).get_event
    next_event()
    if next_event().__class__ is not DocumentStartEvent:
        return 1
    event = next_event()
    line: int = event.start_mark.line
    for part in path:
        found = _enter(next_event, event, part)
        if found is None:
            break
        line, event = found
    return line + 1


def _open(stream: IO[str] | str) -> Any:
    """Return PyYAML's loader over libyaml, or its slow one if it was built without. Neither is asked for nodes."""
    return yaml.CSafeLoader(stream) if yaml.__with_libyaml__ else yaml.SafeLoader(stream)


class _DocumentBuilder:
    """Makes values of events. One object reads one document."""

    def __init__(self, loader: Any) -> None:
        self._loader = loader
        self._next: Callable[[], Any] = loader.get_event
        self._anchors: dict[str, Any] = {}
        self._keys: dict[str, str] = {}

    def build(self, converters: Mapping[str, Converter]) -> Any:
        self._next()
        content, event = None, self._next()
        if event.__class__ is DocumentStartEvent:
            content = self._value(self._next(), converters)
            event = self._next()
            while event.__class__ is DocumentEndEvent:
                event = self._next()
        if event.__class__ is not StreamEndEvent:
            raise ComposerError(None, None, "found another document, and one is expected", event.start_mark)
        return content

    def _value(self, event: Any, converters: Mapping[str, Converter] = _NO_CONVERTERS) -> Any:
        kind = event.__class__
        if kind is ScalarEvent:
            return self._scalar(event)
        if kind is MappingStartEvent:
            return self._mapping(event, converters)
        if kind is SequenceStartEvent:
            return self._sequence(event, None)
        return self._alias(event)

    def _mapping(self, start: Any, converters: Mapping[str, Converter]) -> dict[Any, Any]:
        made: dict[Any, Any] = self._collection(start, {})
        merged: dict[Any, Any] = {}
        next_event = self._next
        while not isinstance(event := next_event(), CollectionEndEvent):
            if event.__class__ is ScalarEvent and event.implicit[0] and event.value == "<<":
                merged |= _merged(self._value(next_event()), event)
                continue
            key, value = self._key(event), next_event()
            if value.__class__ is ScalarEvent:
                made[key] = self._scalar(value)
            elif converters and value.__class__ is SequenceStartEvent and key in converters:
                made[key] = self._sequence(value, converters[key])
            else:
                made[key] = self._value(value)
        if merged:
            own = made.copy()
            made.clear()
            made |= merged | own
        return made

    def _sequence(self, start: Any, convert: Converter | None) -> list[Any]:
        made: list[Any] = self._collection(start, [])
        while not isinstance(event := self._next(), CollectionEndEvent):
            item = self._value(event)
            made.append(convert(len(made), item) if convert else item)
        return made

    def _key(self, event: Any) -> Any:
        """Return a key. The names of fields are one object each, however often they come."""
        if event.__class__ is ScalarEvent and event.implicit[0] and not event.anchor:
            text = event.value
            if (known := self._keys.get(text)) is not None:
                return known
            key = text if text == "=" else self._scalar(event)
            if key.__class__ is str:
                key = self._keys[text] = intern(key)
            return key
        key = self._value(event)
        try:
            hash(key)
        except TypeError:
            raise ConstructorError(None, None, "found unhashable key", event.start_mark) from None
        return key

    def _scalar(self, event: Any) -> Any:
        text: str = event.value
        plain, quoted = event.implicit
        made: Any = text
        if not (plain or quoted):
            made = self._construct(event.tag, event)
        elif plain and text[:1] in _IMPLICIT:
            tag = next((tag for tag, pattern in _IMPLICIT[text[:1]] if pattern.match(text)), None)
            if tag == _INTEGER and text.isdigit() and text[0] != "0":
                made = int(text)
            elif tag:
                made = self._construct(tag, event)
        return self._anchored(event, made) if event.anchor else made

    def _construct(self, tag: str, event: Any) -> Any:
        try:
            return self._loader.construct_document(ScalarNode(tag, event.value, event.start_mark, event.end_mark))
        except (LookupError, AttributeError):  # PyYAML's answer to `!!int ''`, `!!bool x` and `!!timestamp x`
            raise ConstructorError(None, None, f"found no value of {tag!r}", event.start_mark) from None

    def _alias(self, event: Any) -> Any:
        if event.anchor not in self._anchors:
            raise ComposerError(None, None, f"found undefined alias {event.anchor!r}", event.start_mark)
        return self._anchors[event.anchor]

    def _collection(self, start: Any, made: Any) -> Any:
        if start.tag not in _PLAIN_TAGS:
            raise ConstructorError(None, None, f"could not read a value with the tag {start.tag!r}", start.start_mark)
        return self._anchored(start, made) if start.anchor else made

    def _anchored(self, event: Any, made: Any) -> Any:
        if event.anchor in self._anchors:
            raise ComposerError(None, None, f"found duplicate anchor {event.anchor!r}", event.start_mark)
        self._anchors[event.anchor] = made
        return made


def _merged(value: Any, event: Any) -> dict[Any, Any]:
    """Return the pairs of a merge key's mapping, or of its list of mappings, of which the first has precedence."""
    sources = value if isinstance(value, list) else [value]
    if not all(isinstance(each, dict) for each in sources):
        raise ConstructorError(None, None, "expected a mapping or list of mappings for merging", event.start_mark)
    return {key: found for each in reversed(sources) for key, found in each.items()}


def _enter(next_event: Callable[[], Any], start: Any, part: object) -> tuple[int, Any] | None:
    """Read on to a part of a collection; return its line (of a pair: the key's) and first event, or None without it."""
    for position, (key, event) in enumerate(_parts(next_event, start)):
        if (position if key is None else getattr(key, "value", None)) == part:
            return (key or event).start_mark.line, event
        _skip(next_event, event)
    return None


def _parts(next_event: Callable[[], Any], start: Any) -> Iterator[tuple[Any, Any]]:
    """Yield each part's key (None in a list) and first event. The part must be read on to its end meanwhile."""
    if not isinstance(start, CollectionStartEvent):
        return
    while not isinstance(event := next_event(), CollectionEndEvent):
        key = None
        if isinstance(start, MappingStartEvent):
            key = event
            _skip(next_event, event)
            event = next_event()
        yield key, event


def _skip(next_event: Callable[[], Any], event: Any) -> None:
    depth = 0
    while True:
        depth += isinstance(event, CollectionStartEvent) - isinstance(event, CollectionEndEvent)
        if not depth:
            return
        event = next_event()
