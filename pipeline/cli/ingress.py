"""`pipeline ingress`: the HTTP server for webhooks."""

from __future__ import annotations

from typing import Annotated

import typer


def ingress(
    *,
    host: Annotated[str | None, typer.Option(help="Where to listen. [PIPELINE_INGRESS_HOST]")] = None,
    port: Annotated[int | None, typer.Option(min=0, max=65535, help="Where to listen. [PIPELINE_INGRESS_PORT]")] = None,
) -> None:
    """Receive webhooks: authenticate and publish them, and answer 200 once the broker has acknowledged them."""
    from pipeline.cli._setup import prepare
    from pipeline.ingress.server import run

    settings, tenants = prepare()
    chosen = {"ingress_host": host, "ingress_port": port}
    run(settings.model_copy(update={name: value for name, value in chosen.items() if value is not None}), tenants)
