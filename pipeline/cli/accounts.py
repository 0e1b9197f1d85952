"""`pipeline accounts {list,show,pause,resume,limit}`: what may be sent for an account, while the messengers run."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Annotated

import typer

from pipeline.cli._control_options import By, Decision, For, Reason, Until, decide
from pipeline.cli._dead_letter_options import Reveal
from pipeline.cli.lag import worker_urls
from pipeline.topics.controls import ControlKind, OperatorControl

if TYPE_CHECKING:
    from pipeline.messenger.controls import Controls
    from pipeline.settings import Settings
    from pipeline.tenants import Account, Tenant, Tenants

app = typer.Typer(
    help="Show accounts, pause them, and set their limits while the messengers run.", no_args_is_help=True
)

Name = Annotated[str, typer.Argument(metavar="ACCOUNT", help="The account: PROVIDER:ID, as in cloud:106540352242922.")]
Json = Annotated[bool, typer.Option("--json", help="Print one JSON object per account.")]


@app.command("list")
def list_(
    *,
    tenant: Annotated[str | None, typer.Option(metavar="ID", help="This tenant only.")] = None,
    provider: Annotated[str | None, typer.Option(metavar="NAME", help="This provider only.")] = None,
    paused: Annotated[bool, typer.Option("--paused", help="Paused accounts only.")] = False,
    json: Json = False,
    reveal: Reveal = False,
) -> None:
    """Show the accounts of the tenants file with their limits, and what operators have decided about them."""
    from pipeline.accounts import format as formats
    from pipeline.accounts.find import AccountFilter, find_accounts

    settings, tenants = _prepare()
    states = [*find_accounts(tenants, _controls(settings, tenants), AccountFilter(tenant, provider, paused))]
    for line in (formats.as_json if json else formats.as_table)(states, reveal=reveal):
        typer.echo(line)


@app.command()
def show(
    account: Name,
    *,
    workers: Annotated[
        list[str] | None,
        typer.Option(metavar="URL", help="Address of a worker's health server; may be repeated. [PIPELINE_WORKERS]"),
    ] = None,
    json: Json = False,
    reveal: Reveal = False,
) -> None:
    """Show one account: what operators have decided about it, its limit, and what its messenger says.

    Exit status 1 if a worker does not answer: what it knows is missing then.
    """
    from pipeline.accounts import format as formats
    from pipeline.accounts.find import account_state, ask_about

    settings, tenants = _prepare()
    tenant, found = _named(tenants, account)
    urls = worker_urls(workers, settings.workers)
    state = account_state(_controls(settings, tenants), tenant.id, found)
    known = asyncio.run(ask_about(urls, account, reveal=reveal))
    page = [formats.page_as_json(state, known, reveal=reveal)] if json else formats.as_page(state, known, reveal=reveal)
    for line in page:
        typer.echo(line)
    if not urls:
        typer.echo("no worker was asked: set PIPELINE_WORKERS, or name one with --workers", err=True)
    elif not known.facts:
        typer.echo("no worker that answered has the commands of this account now", err=True)
    for url, reason in known.silent.items():
        typer.echo(f"no answer from the worker {url} ({reason}): what it knows is missing here", err=True)
    if known.silent:
        raise typer.Exit(1)


@app.command()
def pause(account: Name, *, reason: Reason, span: For = None, until: Until = None, by: By = None) -> None:
    """Send nothing for an account from now on: no message, no read mark, no typing indicator.

    Its commands wait in order, and cost no attempts. One whose lifetime ends meanwhile is not sent any more.
    """
    decision = Decision.parse(reason, by, span, until)
    settings, tenants = _prepare()
    _decide(settings, ControlKind.PAUSE, *_named(tenants, account), decision)


@app.command()
def resume(account: Name, *, reason: Reason = "", by: By = None) -> None:
    """Send for a paused account again: first what has waited."""
    from pipeline.accounts.find import account_state

    decision = Decision.parse(reason, by, required=False)
    settings, tenants = _prepare()
    tenant, found = _named(tenants, account)
    _decide(settings, ControlKind.PAUSE, tenant, found, decision, active=False)
    if account_state(_controls(settings, tenants), tenant.id, found).tenant_pause is not None:
        typer.echo(f"it stays paused, because its tenant is: `pipeline tenants resume {tenant.id}` ends that", err=True)


@app.command()
def limit(
    account: Name,
    rate: Annotated[
        float | None,
        typer.Argument(metavar="[RATE]", help="Messages per second, fewer or more than configured."),
    ] = None,
    *,
    reason: Reason = "",
    clear: Annotated[bool, typer.Option("--clear", help="Return to the limit of the tenants file.")] = False,
    span: For = None,
    until: Until = None,
    by: By = None,
) -> None:
    """Set the messages per second of an account, in place of those of the tenants file. It needs a --reason."""
    if clear == (rate is not None):
        raise typer.BadParameter("name a RATE in messages per second, or --clear")
    if rate is not None and not 0 < rate < float("inf"):
        raise typer.BadParameter("RATE is not above 0: `pipeline accounts pause` sends nothing")
    decision = Decision.parse(reason, by, span, until, required=not clear)
    settings, tenants = _prepare()
    _decide(settings, ControlKind.LIMIT, *_named(tenants, account), decision, active=not clear, rate=rate)


def _decide(
    settings: Settings,
    kind: ControlKind,
    tenant: Tenant,
    account: Account,
    decision: Decision,
    *,
    active: bool = True,
    rate: float | None = None,
) -> None:
    control = OperatorControl(
        kind=kind,
        tenant_id=tenant.id,
        provider=account.provider,
        account=account.id,
        active=active,
        messages_per_second=rate,
        **decision._asdict(),
    )
    decide(settings, control)


def _prepare() -> tuple[Settings, Tenants]:
    from pipeline.cli._setup import prepare
    from pipeline.cli.topics import quiet_client

    quiet_client()
    return prepare()


def _controls(settings: Settings, tenants: Tenants) -> Controls:
    from pipeline.accounts.find import load_controls

    return asyncio.run(load_controls(settings.kafka, tenants))


def _named(tenants: Tenants, name: str) -> tuple[Tenant, Account]:
    """Return an account and its tenant. Raise `typer.BadParameter`."""
    from pipeline.accounts.find import named_account, similar_names

    found = named_account(tenants, name)
    if found is None:
        similar = similar_names(tenants, name)
        hint = f"write {' or '.join(similar)}" if similar else "`pipeline accounts list` shows all"
        raise typer.BadParameter(f"there is no account {name!r}: {hint}")
    return found
