"""`python -m bench.stock APP`: one stock worker, on the settings (`PIPELINE_…`) and the tenants of ours.

APP is ingress, intake, handlers or messenger. `BENCH_STOCK_CONCURRENCY` sets how many events the agents of handlers
and messenger work on at once. The web server, with `/readyz`, listens on the port that ours would.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Mapping

import faust

from bench.stock.handlers import handlers
from bench.stock.ingress import ingress
from bench.stock.intake import intake
from bench.stock.messenger import messenger
from pipeline.errors import PipelineError, UsageError
from pipeline.settings import Settings, load_settings
from pipeline.tenants import Tenants, load_tenants

APPS: Mapping[str, Callable[[Settings, Tenants], faust.App]] = {
    "ingress": lambda settings, tenants: ingress(_on_the_ingress_port(settings), tenants),
    "intake": intake,
    "handlers": lambda settings, tenants: handlers(settings, tenants, _concurrency()),
    "messenger": lambda settings, tenants: messenger(settings, tenants, _concurrency()),
}


def main(arguments: list[str]) -> None:
    if len(arguments) != 1 or arguments[0] not in APPS:
        raise UsageError(f"name one app: {', '.join(APPS)}")
    settings = load_settings()
    os.environ.setdefault("PIPELINE_SANDBOX_URL", f"http://127.0.0.1:{settings.sandbox_port}")
    app = APPS[arguments[0]](settings, load_tenants(settings.tenants))
    sys.argv = ["faust", "--loop", "uvloop", "worker", "--loglevel", "warn", "--web-port", str(app.conf.web_port)]
    app.main()


def _on_the_ingress_port(settings: Settings) -> Settings:
    return settings.model_copy(update={"worker_host": settings.ingress_host, "worker_port": settings.ingress_port})


def _concurrency() -> int:
    return int(os.environ.get("BENCH_STOCK_CONCURRENCY", "1"))


if __name__ == "__main__":
    try:
        main(sys.argv[1:])
    except PipelineError as error:
        print(f"bench.stock: {error}", file=sys.stderr)
        raise SystemExit(1) from None
