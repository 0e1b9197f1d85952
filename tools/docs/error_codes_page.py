"""`docs/error-codes.md`, generated from the tables of the providers."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Final, NamedTuple

from pipeline.backoff import RetryPolicy
from pipeline.providers import PROVIDERS
from pipeline.providers.base import CodePolicies, Provider
from pipeline.providers.code_policy import CUT_OFF, UNREACHED, Action, CodePolicy, CodeTable

_HEAD: Final = """\
# Error codes

What a provider's error means, what the messenger does about it, and what you do. An outcome on `commands.outcomes` has
the code in `error_code`, and the provider's own words in `error_message`. Ask for the row of a code:

```pycon
>>> from pipeline.messenger import code_policy
>>> from pipeline.providers import PROVIDERS
>>> policy = code_policy(PROVIDERS["cloud"], 190)
>>> policy.meaning, str(policy.action), policy.pauses_account, policy.alerts
('the access token has expired or was revoked', 'permanent', True, True)
```

| the messenger | what it does |
| --- | --- |
| fails | The outcome is `failed`, at once. |
| retries | It calls again after the delay, or the longer one that the answer asks for. |
| in doubt | It waits for the status webhook of the command. See [sends in doubt](architecture.md#a-send-in-doubt). |
| pauses the account | All other messages of the account wait for as long, also over a restart. |
| pauses the pair | Messages of this account to this recipient wait. All others go on. |
| lowers the limit | The account has sent too fast. A pause without it is a rest: its limit stays. |
| alerts | The log has `account_needs_attention`, once an hour, and a metric counts the accounts. |

An answer asks by `Retry-After`, by `retry_after` in its body, or at Meta by its usage header. Up to a quarter is added
to each delay at random, and up to 5 s to one that was asked for. After the last try the outcome is `failed`. A command
that still waits at [its deadline](reliability.md#every-command-ends) is `expired`.

You see how many accounts need you in [a metric](metrics.md#pipeline_accounts_needing_attention). "later" marks codes
that a status webhook may bring after the message was accepted. This page is generated from the code by
`make reference`.
"""
_COLUMNS: Final = "| code | what it means | what the messenger does | later | what you do | source |\n"
_RULE: Final = "| --- | --- | --- | :-: | --- | --- |\n"
_TITLES: Final = {"cloud": "Cloud API", "wasender": "Wasender", "wawp": "Wawp", "waha": "WAHA"}


class Row(NamedTuple):
    """One line: a row of the table with the codes that share it."""

    code: str
    policy: CodePolicy


def page() -> str:
    """Return `docs/error-codes.md`."""
    no_answer = _table([Row("not reached", UNREACHED), Row("no answer", CUT_OFF)])
    sections = (_section(provider) for provider in PROVIDERS.values())
    return f"{_HEAD}\n## Without an answer\n\nOf all providers:\n\n{no_answer}{''.join(sections)}\n{_links()}"


def _section(provider: Provider) -> str:
    if not isinstance(provider, CodePolicies):
        return ""
    return f"\n## {_TITLES.get(provider.name, provider.name)}\n\n{_table(rows(provider.codes))}"


def _links() -> str:
    """Return the definitions of the sources that the lines name."""
    tables = [provider.codes for provider in PROVIDERS.values() if isinstance(provider, CodePolicies)]
    lines = [UNREACHED, CUT_OFF, *(row.policy for table in tables for row in rows(table))]
    return "".join(sorted({f"[{policy.source.name}]: {policy.source.url}\n" for policy in lines}))


def rows(table: CodeTable) -> list[Row]:
    """Return the lines of a table: its codes, then the statuses of answers without one, then what is left."""
    bare = {status: policy for status, policy in table.statuses.items() if table.codes.get(status) is not policy}
    left = [("any other code", table.other), ("any other, transient", table.transient)]
    left.append(("any other HTTP status", table.other_status))
    return [
        *(Row(codes, policy) for codes, policy in _merged(table.codes)),
        *(Row(f"HTTP {codes} without a code", policy) for codes, policy in _merged(bare)),
        *(Row(name, policy) for name, policy in left if policy),
    ]


def _merged(policies: Mapping[int, CodePolicy]) -> Iterator[tuple[str, CodePolicy]]:
    """Yield each policy with its codes, as `4, 613` or `200 to 299`, in the order of the first."""
    codes: dict[int, list[int]] = {}
    for code in sorted(policies):
        codes.setdefault(id(policies[code]), []).append(code)
    for found in codes.values():
        yield ", ".join(_ranges(found)), policies[found[0]]


def _ranges(codes: Iterable[int]) -> Iterator[str]:
    runs: list[list[int]] = []
    for code in codes:
        if runs and code == runs[-1][-1] + 1:
            runs[-1].append(code)
        else:
            runs.append([code])
    for run in runs:
        yield from (f"{run[0]} to {run[-1]}",) if len(run) > 2 else map(str, run)


def _table(lines: Iterable[Row]) -> str:
    return _COLUMNS + _RULE + "".join(_line(line) for line in lines)


def _line(row: Row) -> str:
    policy = row.policy
    source, later = f"[{policy.source.name}]", "✓" if policy.by_status else ""
    cells = (row.code, _sentence(policy.meaning), describe(policy), later, _sentence(policy.advice), source)
    return f"| {' | '.join(cells)} |\n"


def describe(policy: CodePolicy) -> str:
    """Return what the messenger does, in words."""
    parts = {Action.RETRY: _retries(policy.retry), Action.PERMANENT: "fails", Action.IN_DOUBT: "in doubt"}
    said = [parts[policy.action]]
    if policy.pauses:
        is_retried = policy.action is Action.RETRY
        said.append(f"pauses the {policy.pauses}" + ("" if is_retried else f" for {policy.retry.initial_delay:g} s"))
    said += ["lowers the limit"] * policy.lowers_limit + ["alerts"] * policy.alerts
    return "; ".join(said)


def _retries(policy: RetryPolicy) -> str:
    end = f"{policy.max_attempts} tries" if policy.max_attempts else "until it expires"
    delays = [policy.delay(attempt, 0) for attempt in range(1, 4)]
    if policy.factor == 1:
        return f"retries every {delays[0]:g} s, {end}"
    shown = ", ".join(f"{delay:g}" for delay in delays)
    return f"retries after {shown}, … s, at most {policy.max_delay:g} s, {end}"


def _sentence(text: str) -> str:
    return text[:1].upper() + text[1:] if text[:1] != "`" else text
