"""The commit as Redis runs it: one Lua script, which Redis runs as a whole or not at all.

What it means is said once, in Python (`change.RowChange.over`); the contract suite and a property test hold both
together. It checks everything before it writes anything, since Redis does not undo what a script did.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from typing import Final

from pipeline.state.change import RowChange
from pipeline.state.store import Applied, Committed, UnitRecord

COMMIT: Final = """
-- KEYS: the record's (if there is one), then one for each row.
-- ARGV: the record's ttl (0: no record), its content, then for each row: remove, ttl (0: leave), and three lists,
-- each with its length first: field and value, field and increment, field and JSON values to append.
local first, at, rows = 1, 3, {}
if ARGV[1] ~= '0' then
  local recorded = redis.call('GET', KEYS[1])
  if recorded then return {'recorded', recorded} end
  first = 2
end

local function pairs_at()
  local list, length = {}, tonumber(ARGV[at])
  for i = 1, length do list[i] = {ARGV[at + 2 * i - 1], ARGV[at + 2 * i]} end
  at = at + 2 * length + 1
  return list
end
for i = first, #KEYS do
  local row = {key = KEYS[i], remove = ARGV[at] == '1', ttl = ARGV[at + 1]}
  at = at + 2
  row.sets, row.increments, row.appends = pairs_at(), pairs_at(), pairs_at()
  rows[#rows + 1] = row
end

local function held(row, field) return not row.remove and redis.call('HGET', row.key, field) end
for _, row in ipairs(rows) do
  for _, pair in ipairs(row.increments) do
    local value = held(row, pair[1])
    if value and not (value:match('^%-?%d+$') and #value:gsub('%-', '') <= 15) then return {'not a counter'} end
  end
  for _, pair in ipairs(row.appends) do
    local value = held(row, pair[1])
    if value and value:sub(1, 1) ~= '[' then return {'not a list'} end
  end
end

local answer = {'applied'}
for _, row in ipairs(rows) do
  local key, counters = row.key, {}
  local existed = redis.call('EXISTS', key)
  if row.remove then redis.call('DEL', key) end
  for _, pair in ipairs(row.sets) do redis.call('HSET', key, pair[1], pair[2]) end
  for i, pair in ipairs(row.increments) do counters[i] = redis.call('HINCRBY', key, pair[1], pair[2]) end
  for _, pair in ipairs(row.appends) do
    local list = redis.call('HGET', key, pair[1])
    local head = (not list or list == '[]') and '[' or list:sub(1, -2) .. ','
    redis.call('HSET', key, pair[1], head .. pair[2] .. ']')
  end
  if row.ttl ~= '0' then redis.call('EXPIRE', key, row.ttl) end
  answer[#answer + 1] = {existed, counters}
end
if ARGV[1] ~= '0' then redis.call('SET', KEYS[1], ARGV[2], 'EX', ARGV[1]) end
return answer
"""

COMMIT_SHA: Final = hashlib.sha1(COMMIT.encode(), usedforsecurity=False).hexdigest()
"""The script's name in Redis."""

Argument = str | bytes | int


def arguments(changes: Sequence[RowChange], record: UnitRecord | None) -> tuple[list[str], list[Argument]]:
    """KEYS and ARGV of the script."""
    keys = [record.key] if record else []
    argv: list[Argument] = [record.ttl, record.content] if record else [0, b""]
    for change in changes:
        keys.append(change.key)
        argv += _row(change)
    return keys, argv


def _row(change: RowChange) -> list[Argument]:
    argv: list[Argument] = [int(change.remove), change.ttl or 0, len(change.sets)]
    for pair in change.sets.items():
        argv += pair
    argv.append(len(change.increments))
    for counted in change.increments.items():
        argv += counted
    argv.append(len(change.appends))
    for name, items in change.appends.items():
        argv += (name, b",".join(items))
    return argv


def answer(reply: list[object]) -> Committed | str:
    """The result of a commit, or in words which check failed."""
    verdict = _text(reply[0])
    if verdict == "recorded":
        assert isinstance(reply[1], bytes)
        return Committed((), reply[1])
    return Committed([_applied(row) for row in reply[1:]]) if verdict == "applied" else verdict


def _applied(row: object) -> Applied:
    assert isinstance(row, list)
    return Applied(bool(row[0]), row[1])


def _text(value: object) -> str:
    assert isinstance(value, bytes)
    return value.decode()
