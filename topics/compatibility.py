"""Compare a record's schema with its predecessor: is the change compatible?

Old records stay on the topics for days, and old workers run beside new ones during a rollout. So a new
schema must accept what the old one described, and must still describe what old readers rely on: no field goes, no type
gets narrower, nothing becomes required, and nothing that was sure to be there stops being so. New fields, new types of
messages and wider types are fine: readers keep unknown fields, and read unknown types as `UnknownEvent`.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, Final, TypeAlias

Schema: TypeAlias = Mapping[str, Any]

_BOUNDS: Final = {
    "minLength": 1,
    "minItems": 1,
    "minimum": 1,
    "exclusiveMinimum": 1,
    "maxLength": -1,
    "maxItems": -1,
    "maximum": -1,
    "exclusiveMaximum": -1,
}
"""Keywords that bound values, with the direction in which a bound gets narrower."""
_EXACT: Final = ("pattern", "format", "const")


class _Comparison:
    """A comparison of two documents with their own `$ref`s. A pair of definitions is compared once, because models may
    refer to each other in a circle."""

    def __init__(self, old: Schema, new: Schema) -> None:
        self._old, self._new = old, new
        self._seen: set[tuple[str, str]] = set()

    def breaks(self, old: Schema, new: Schema, place: str) -> Iterator[str]:
        names = (str(old.get("$ref")), str(new.get("$ref")))
        if "$ref" in old and "$ref" in new:
            if names in self._seen:
                return
            self._seen.add(names)
        before, after = _resolved(self._old, old), _resolved(self._new, new)
        if "anyOf" in before or "oneOf" in before or "anyOf" in after or "oneOf" in after:
            yield from self._variants(_variants(before), _variants(after), place)
        else:
            yield from self._plain(before, after, place)

    def _plain(self, old: Schema, new: Schema, place: str) -> Iterator[str]:
        other = list(_narrower_type(old, new, place))
        yield from other
        if other:
            return
        yield from _narrower_values(old, new, place)
        yield from self._fields(old, new, place)
        for keyword in ("items", "additionalProperties"):
            inner = new.get(keyword, True)
            if inner is False and old.get(keyword, True) is not False:
                yield f"{place}: takes no other fields any more"
            elif isinstance(inner, Mapping) and keyword in old:
                before = old[keyword] if isinstance(old[keyword], Mapping) else {}
                yield from self.breaks(before, inner, f"{place}[]")

    def _fields(self, old: Schema, new: Schema, place: str) -> Iterator[str]:
        before, after = old.get("properties", {}), new.get("properties", {})
        must, must_now = set(old.get("required", ())), set(new.get("required", ()))
        yield from (f"{place}.{name}: is gone" for name in before if name not in after)
        yield from (f"{place}.{name}: is required now" for name in sorted(must_now - must))
        yield from (f"{place}.{name}: may be missing now" for name in sorted(must - must_now) if name in after)
        for name in before:
            if name in after:
                yield from self.breaks(before[name], after[name], f"{place}.{name}")

    def _variants(self, old: list[Schema], new: list[Schema], place: str) -> Iterator[str]:
        """Yield problems of variants: an old variant needs a new one of the same name, or any one that it fits."""
        for variant in old:
            found = [
                list(self._fresh(variant, other, place)) for other in _candidates(self._old, variant, new, self._new)
            ]
            if not found:
                yield f"{place}: takes no {_name(self._old, variant)} any more"
            elif all(found):
                yield from min(found, key=len)

    def _fresh(self, old: Schema, new: Schema, place: str) -> Iterator[str]:
        """Compare without remembering the pair, because there may be other candidates."""
        seen = set(self._seen)
        yield from self.breaks(old, new, place)
        self._seen = seen


def breaks(old: Schema, new: Schema) -> list[str]:
    """Return the incompatible changes from `old` to `new`, one line each."""
    return list(_Comparison(old, new).breaks(old, new, str(new.get("title", "record"))))


def _resolved(document: Schema, schema: Schema) -> Schema:
    while "$ref" in schema:
        target: Any = document
        for step in str(schema["$ref"]).removeprefix("#/").split("/"):
            target = target[step]
        schema = target
    return schema


def _variants(schema: Schema) -> list[Schema]:
    return list(schema.get("anyOf") or schema.get("oneOf") or [schema])


def _candidates(old: Schema, variant: Schema, new: list[Schema], document: Schema) -> list[Schema]:
    """Return the new variants to compare: for a model the one of its name, otherwise those of a matching type."""
    if "$ref" in variant:
        return [other for other in new if other.get("$ref") == variant["$ref"]]
    resolved = _resolved(old, variant)
    return [other for other in new if not list(_narrower_type(resolved, _resolved(document, other), ""))]


def _name(document: Schema, variant: Schema) -> str:
    return str(variant.get("$ref", "")).rpartition("/")[2] or str(_resolved(document, variant).get("type", "value"))


def _narrower_type(old: Schema, new: Schema, place: str) -> Iterator[str]:
    before, after = old.get("type"), new.get("type")
    if after is not None and before != after and (before, after) != ("integer", "number"):
        yield f"{place}: was {before or 'anything'}, is {after}"


def _narrower_values(old: Schema, new: Schema, place: str) -> Iterator[str]:
    for keyword in _EXACT:
        if keyword in new and new[keyword] != old.get(keyword):
            yield f"{place}: {keyword} is {new[keyword]!r} now"
    for keyword, direction in _BOUNDS.items():
        if keyword in new and (keyword not in old or (new[keyword] - old[keyword]) * direction > 0):
            yield f"{place}: {keyword} is {new[keyword]} now"
    if "enum" in new:
        lost = [each for each in old.get("enum", ["anything"]) if each not in new["enum"]]
        yield from (f"{place}: does not take {each!r} any more" for each in lost)
