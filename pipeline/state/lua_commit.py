"""The commit as Redis runs it: one Lua script, which Redis runs as a whole or not at all.

Its meaning is defined in Python (`change.RowChange.apply_to`); the contract suite and a property test compare both. It
checks everything before it writes anything, since Redis does not roll back a script.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Sequence
from typing import Final

from pipeline.state.change import RowChange
from pipeline.state.keys import groups
from pipeline.state.store import Applied, Committed, UnitRecord

COMMIT: Final = """
-- KEYS: the record's (if there is one), then for each row its own and those of its groups.
-- ARGV: the record's ttl (0: no record), its content, the content that it may replace, then for each row: remove, ttl
-- (0: leave), how many groups it is in, how many fields it must have (-1: any), and five lists of pairs, each with its
-- length first: field and expected value ('': none), field and value, field and increment, field and JSON values to
-- append, field and '' to drop.
local at_key, at, rows = 1, 4, {}
if ARGV[1] ~= '0' then
  local recorded = redis.call('GET', KEYS[1])
  if recorded and recorded ~= ARGV[3] then return {'recorded', recorded} end
  at_key = 2
end

local function pairs_at()
  local list, length = {}, tonumber(ARGV[at])
  for i = 1, length do list[i] = {ARGV[at + 2 * i - 1], ARGV[at + 2 * i]} end
  at = at + 2 * length + 1
  return list
end
while at_key <= #KEYS do
  local row = {key = KEYS[at_key], remove = ARGV[at] == '1', ttl = ARGV[at + 1], groups = {}, size = ARGV[at + 3]}
  for i = 1, tonumber(ARGV[at + 2]) do row.groups[i] = KEYS[at_key + i] end
  at_key, at = at_key + 1 + #row.groups, at + 4
  row.expects, row.sets, row.increments = pairs_at(), pairs_at(), pairs_at()
  row.appends, row.drops = pairs_at(), pairs_at()
  rows[#rows + 1] = row
end

local function held(row, field) return not row.remove and redis.call('HGET', row.key, field) end
for _, row in ipairs(rows) do
  if row.size ~= '-1' and redis.call('HLEN', row.key) ~= tonumber(row.size) then return {'changed'} end
  for _, pair in ipairs(row.expects) do
    if (redis.call('HGET', row.key, pair[1]) or '') ~= pair[2] then return {'changed'} end
  end
  for _, pair in ipairs(row.increments) do
    local value = held(row, pair[1])
    if value and not (value:match('^%-?%d+$') and #value:gsub('%-', '') <= 15) then return {'not a counter'} end
  end
  for _, pair in ipairs(row.appends) do
    local value = held(row, pair[1])
    if value and value:sub(1, 1) ~= '[' then return {'not a list'} end
  end
end

local now
local function list(row)
  if not now then
    local time = redis.call('TIME')
    now = time[1] * 1000 + math.floor(time[2] / 1000)
  end
  local left = redis.call('PTTL', row.key)
  for _, group in ipairs(row.groups) do
    if left == -2 then redis.call('ZREM', group, row.key)
    else redis.call('ZADD', group, left == -1 and '+inf' or string.format('%.0f', now + left), row.key) end
    redis.call('ZREMRANGEBYSCORE', group, '-inf', string.format('(%.0f', now))
  end
end

local answer = {'applied'}
for _, row in ipairs(rows) do
  local key, counters, dropped = row.key, {}, 0
  local existed = redis.call('EXISTS', key)
  if row.remove then redis.call('DEL', key) end
  for _, pair in ipairs(row.sets) do redis.call('HSET', key, pair[1], pair[2]) end
  for i, pair in ipairs(row.increments) do counters[i] = redis.call('HINCRBY', key, pair[1], pair[2]) end
  for _, pair in ipairs(row.appends) do
    local list = redis.call('HGET', key, pair[1])
    local head = (not list or list == '[]') and '[' or list:sub(1, -2) .. ','
    redis.call('HSET', key, pair[1], head .. pair[2] .. ']')
  end
  for _, pair in ipairs(row.drops) do
    if redis.call('HEXISTS', key, pair[1]) == 1 then
      redis.call('HSET', key, '', '1')
      dropped = dropped + redis.call('HDEL', key, pair[1])
    end
  end
  if row.ttl ~= '0' then redis.call('EXPIRE', key, row.ttl) end
  if #row.groups > 0 then list(row) end
  answer[#answer + 1] = {existed, counters, dropped}
end
if ARGV[1] ~= '0' then redis.call('SET', KEYS[1], ARGV[2], 'EX', ARGV[1]) end
return answer
"""

RECORD: Final = """
-- KEYS: records of one ttl and content. ARGV: these, and the content that they may replace. Returns the content
-- that each keeps instead; false: the record is stored.
local found = {}
for i, key in ipairs(KEYS) do
  found[i] = redis.call('GET', key)
  if not found[i] or found[i] == ARGV[3] then
    redis.call('SET', key, ARGV[2], 'EX', ARGV[1])
    found[i] = false
  end
end
return found
"""
"""The script of commits without changes, for the records of many events."""

EXPIRE: Final = "for _, key in ipairs(KEYS) do redis.call('EXPIRE', key, ARGV[1]) end"

COMMIT_SHA: Final = hashlib.sha1(COMMIT.encode(), usedforsecurity=False).hexdigest()
"""The name of the commit script in Redis."""

Argument = str | bytes | int


def script_arguments(changes: Sequence[RowChange], record: UnitRecord | None) -> tuple[list[str], list[Argument]]:
    """Return KEYS and ARGV of the script."""
    keys = [record.key] if record else []
    argv: list[Argument] = [record.ttl, record.content, record.replaces] if record else [0, b"", b""]
    for change in changes:
        listed = groups(change.key)
        keys += (change.key, *listed)
        argv += _row(change, len(listed))
    return keys, argv


def _row(change: RowChange, listed: int) -> list[Argument]:
    argv: list[Argument] = [int(change.remove), change.ttl or 0, listed, -1 if change.size is None else change.size]
    argv += _pairs((name, value or b"") for name, value in change.expects.items())
    argv += _pairs(change.sets.items())
    argv += _pairs(change.increments.items())
    argv += _pairs((name, b",".join(items)) for name, items in change.appends.items())
    argv += _pairs((name, b"") for name in change.drops)
    return argv


def _pairs(pairs: Iterable[tuple[str, Argument]]) -> list[Argument]:
    flat: list[Argument] = [part for pair in pairs for part in pair]
    return [len(flat) // 2, *flat]


def parse_reply(reply: list[object]) -> Committed | str:
    """Return the result of a commit, or the check that failed."""
    verdict = _text(reply[0])
    if verdict == "recorded":
        assert isinstance(reply[1], bytes)
        return Committed((), reply[1])
    return Committed([_applied(row) for row in reply[1:]]) if verdict == "applied" else verdict


def _applied(row: object) -> Applied:
    assert isinstance(row, list)
    return Applied(bool(row[0]), row[1], row[2])


def _text(value: object) -> str:
    assert isinstance(value, bytes)
    return value.decode()
