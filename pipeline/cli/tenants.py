"""`pipeline tenants {pause,resume}`: what may be sent for all accounts of a tenant, while the messengers run."""

from __future__ import annotations

from typing import Annotated

import typer

from pipeline.cli._control_options import By, Decision, For, Reason, Until, decide
from pipeline.topics.controls import ControlKind, OperatorControl

app = typer.Typer(help="Pause whole tenants while the messengers run.", no_args_is_help=True)

Name = Annotated[str, typer.Argument(metavar="TENANT", help="Id of the tenant.")]


@app.command()
def pause(tenant: Name, *, reason: Reason, span: For = None, until: Until = None, by: By = None) -> None:
    """Send nothing for any account of a tenant from now on. Its webhooks are handled as usual.

    Commands wait in order, and cost no attempts. One whose lifetime ends meanwhile is not sent any more.
    """
    _decide(tenant, Decision.parse(reason, by, span, until), active=True)


@app.command()
def resume(tenant: Name, *, reason: Reason = "", by: By = None) -> None:
    """Send for a paused tenant again. Accounts that are paused themselves stay so."""
    _decide(tenant, Decision.parse(reason, by, required=False), active=False)


def _decide(tenant: str, decision: Decision, *, active: bool) -> None:
    from pipeline.cli._setup import prepare
    from pipeline.cli.topics import quiet_client

    quiet_client()
    settings, tenants = prepare()
    if tenants.get(tenant) is None:
        raise typer.BadParameter(f"there is no tenant {tenant!r}: `pipeline accounts list` shows all with accounts")
    decide(settings, OperatorControl(kind=ControlKind.PAUSE, tenant_id=tenant, active=active, **decision._asdict()))
