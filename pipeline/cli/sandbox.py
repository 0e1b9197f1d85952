"""`pipeline sandbox`: a simulation of the providers."""

from __future__ import annotations

import logging
import os
from typing import Annotated

import typer

from pipeline.errors import UsageError
from pipeline.settings import load_settings


def sandbox(
    *,
    host: Annotated[str | None, typer.Option(help="Host to listen on. [PIPELINE_SANDBOX_HOST]")] = None,
    port: Annotated[int | None, typer.Option(help="Port to listen on. [PIPELINE_SANDBOX_PORT]")] = None,
    ingress_url: Annotated[str | None, typer.Option(help="URL of the ingress, for webhooks.")] = None,
    statuses: Annotated[bool, typer.Option(help="Send statuses (sent, delivered, read) for accepted messages.")] = True,
    status_batch: Annotated[int, typer.Option(min=1, help="Maximum number of statuses in one webhook.")] = 1,
    messages_per_second: Annotated[
        float, typer.Option(min=0, help="Limit of each number, in messages per second; 0 is unlimited.")
    ] = 80,
) -> None:
    """Run a simulation of the providers: it enforces their limits, answers like them, and sends webhooks."""
    from pipeline.sandbox.config import SandboxConfig, accounts_from
    from pipeline.sandbox.errors import SandboxError
    from pipeline.sandbox.limits import SandboxLimits
    from pipeline.sandbox.server import run
    from pipeline.sandbox.statuses import DEFAULT_STEPS

    settings = load_settings()
    logging.basicConfig(level=settings.log_level.upper(), format="%(asctime)s %(levelname)s %(name)s: %(message)s")
    target = ingress_url or f"http://{settings.ingress_host}:{settings.ingress_port}"
    try:
        config = SandboxConfig(
            host=host or settings.sandbox_host,
            port=settings.sandbox_port if port is None else port,
            ingress_url=target,
            accounts=accounts_from(os.environ),
            limits=SandboxLimits(messages_per_second=messages_per_second or None),
            statuses=DEFAULT_STEPS if statuses else (),
            status_batch=status_batch,
        )
        run(config, lambda url: print(f"sandbox: ready on {url}, webhooks go to {target}", flush=True))
    except SandboxError as error:
        raise UsageError(str(error)) from None
