"""The files of `pipeline new-project`, but for those that `new-handler` and `new-agent` write."""

from __future__ import annotations

import json
from importlib import metadata
from pathlib import Path
from typing import Final

NAME: Final = "whatsapp-pipeline"

_TENANTS: Final = """\
# Who uses the pipeline, and with which numbers. These accounts are the sandbox's, and so are their secrets.
# For a number of your own write `env:NAME` where a secret is, and the secret itself into .env.
cloud_apps:
  - id: sandbox-app
    app_secrets: [sandbox-app-secret]
    verify_token: sandbox-verify-token

tenants:
  - id: {name} # on Meta's Cloud API
    api_keys: [sandbox-api-key] # opens the HTTP API for sends
    accounts:
      - provider: cloud
        id: "106540352242922" # phone_number_id
        business_id: "102290129340398" # WABA
        token: sandbox-token
        base_url: env:PIPELINE_SANDBOX_URL
"""
_SETTINGS: Final = """\
PIPELINE_TENANTS=tenants.yaml

# Secrets that tenants.yaml names as env:NAME
#ACME_ACCESS_TOKEN=
"""
_IGNORED: Final = """\
.env
.pipeline/
.venv/
__pycache__/
.pytest_cache/
"""
_IMAGE_CONTEXT: Final = """\
*
!{name}
!requirements.txt
!tenants.yaml
**/__pycache__
"""
_REQUIREMENTS: Final = "# What your code needs beside the pipeline, in the image too\n"
_DEVELOPMENT: Final = """\
-r requirements.txt
{pipeline}
pytest
"""
_DOCKERFILE: Final = """\
# Adds your code to the pipeline's image. Build that one first, in a checkout of the pipeline:
#   docker build --tag whatsapp-pipeline .
ARG BASE=whatsapp-pipeline
FROM ${{BASE}}
USER root
COPY requirements.txt ./
RUN pip install --no-cache-dir --requirement requirements.txt
USER pipeline
COPY tenants.yaml ./
COPY {name} {name}
ENV PIPELINE_TENANTS=/app/tenants.yaml
"""
_COMPOSE_HEADER: Final = """\
# The stack of `pipeline up` in containers, with your code: docker compose up --build
# Without agents in tenants.yaml, take the service `agents` out.
"""
_WORKFLOW: Final = """\
name: tests
on: [push, pull_request]
permissions:
  contents: read
jobs:
  tests:
    runs-on: ubuntu-latest
    steps:
      - uses: actions/checkout@v4
      - uses: actions/setup-python@v5
        with:
          python-version: "3.12"
      - run: pip install --requirement requirements-dev.txt
      - run: python -m pytest -q
"""
_README: Final = """\
# {title}

A bot on WhatsApp Pipeline. `{name}/bot.py` answers, and `{name}/visits.py` counts beside it. `tenants.yaml` says
for which numbers.

```
python3 -m venv .venv && . .venv/bin/activate
pip install -r requirements-dev.txt
cp .env.example .env
python -m pytest
pipeline up --reload
```

Chat with the bot on http://127.0.0.1:8090/chat. `pipeline doctor` says what is wrong with the setup.
"""


def project_files(name: str) -> dict[Path, str]:
    """Return the files of a project, each with its content."""
    from pipeline.local.compose import Project, compose

    words = {"name": name, "title": name.replace("_", " ").capitalize(), "pipeline": _requirement()}
    templates = {
        "tenants.yaml": _TENANTS,
        "requirements.txt": _REQUIREMENTS,
        "requirements-dev.txt": _DEVELOPMENT,
        "Dockerfile": _DOCKERFILE,
        ".dockerignore": _IMAGE_CONTEXT,
        ".gitignore": _IGNORED,
        ".env": _SETTINGS,
        ".env.example": _SETTINGS,
        ".github/workflows/tests.yaml": _WORKFLOW,
        "README.md": _README,
    }
    stack = compose(Project(name, "/app/tenants.yaml", _COMPOSE_HEADER, agents=True))
    return {Path(path): text.format(**words) for path, text in templates.items()} | {Path("compose.yaml"): stack}


def _requirement() -> str:
    """Return the requirement that installs the pipeline from where it was installed from here (PEP 610)."""
    source = metadata.distribution(NAME).read_text("direct_url.json")
    if source is None:  # an index
        return f"{NAME}[local]=={metadata.version(NAME)}"
    found = json.loads(source)
    url, vcs = found["url"], found.get("vcs_info")
    if vcs:
        url = f"{vcs['vcs']}+{url}@{vcs['commit_id']}"
    only_here = "# A path of this machine: name a wheel that others and your CI can fetch\n" if _is_path(url) else ""
    return f"{only_here}{NAME}[local] @ {url}"


def _is_path(url: str) -> bool:
    return url.startswith("file:")
