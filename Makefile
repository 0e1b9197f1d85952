# Needs Python 3.11 to 3.14 and make, nothing else: everything is installed into .venv, at the versions of the lock.
PYTHON ?= python3
ARGS ?=
BASE ?=
IMAGE ?= whatsapp-pipeline

VENV := .venv
BIN := $(VENV)/bin
INSTALLED := $(VENV)/.installed
RUN_INSTALLED := $(VENV)/.run-installed
LOCKER := build/lock
DOCS := build/docs
UV := uv==0.13.8
PIP := $(BIN)/python -m pip --disable-pip-version-check --quiet

.DEFAULT_GOAL := help
.DELETE_ON_ERROR:
.PHONY: help install run test test-long lint format bench parked chaos docs reference lock sbom image

help: ## Show what there is
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "  make %-9s %s\n", $$1, $$2}' $(MAKEFILE_LIST)
	@echo "  ARGS=... goes to the command, PYTHON=python3.12 picks the Python."

# Whoever has everything keeps everything up to date; whoever only runs it needs no tools.
define INSTALL_LOCK
	@$(PYTHON) -c 'import sys; sys.exit(not (3, 11) <= sys.version_info < (3, 15))' || \
		{ echo "make: $(PYTHON) is not a Python from 3.11 to 3.14: name one, as in make PYTHON=python3.12" >&2; exit 1; }
	@$(PYTHON) -c 'import ensurepip, venv' || \
		{ echo "make: $(PYTHON) can't make a venv: install it (on Debian: apt install python3-venv)" >&2; exit 1; }
	@$(PYTHON) -m venv $(VENV)
	@$(BIN)/python tools/install.py $(1)
	@$(PIP) install --no-deps --no-build-isolation -e .
	@$(BIN)/python -m compileall -q -j 0 $(2)
	@touch $@
endef

install: $(INSTALLED) ## Make .venv with everything that the other targets need

$(INSTALLED): requirements.lock pyproject.toml
	$(call INSTALL_LOCK,requirements.lock,chaos pipeline tests)

$(RUN_INSTALLED): requirements.run.lock pyproject.toml
	$(call INSTALL_LOCK,requirements.run.lock,pipeline)

run: $(if $(wildcard $(INSTALLED)),$(INSTALLED),$(RUN_INSTALLED)) ## Start the whole pipeline here: Kafka, Redis, sandbox, ingress, workers
	@$(BIN)/pipeline up $(ARGS)

test: install ## Run the tests, in ten minutes; they start what they need
	@$(BIN)/pytest -n 3 --dist loadfile --no-loadscope-reorder -m 'not long' $(ARGS)

test-long: install ## Run the tests that take long: kills of everything, deaths by parked records, the version before
	@$(BIN)/pytest -n 2 --dist loadfile --no-loadscope-reorder -m long $(ARGS)

lint: install ## Check style, types and the laws of the house
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check .
	@$(BIN)/mypy
	@$(BIN)/basedpyright
	@$(BIN)/lint-imports
	@$(BIN)/pytest -n 0 -q tests/unit/test_names.py tests/unit/test_docstrings.py

format: install ## Let ruff format the code
	@$(BIN)/ruff check --fix .
	@$(BIN)/ruff format .

bench: install ## Measure, against stock Faust and raw clients
	@$(BIN)/python -m bench $(ARGS)

parked: install ## Park ten million commands, kill their worker, start it again (half an hour): ARGS="--records 100000"
	@$(BIN)/python -m bench.parked $(ARGS)

chaos: install ## Kill everything at random under load and count the effects: ARGS="--seconds 600 --rate 200"
	@$(BIN)/python -m chaos $(ARGS)

sbom: install ## Write build/sbom.json: every package of the locks and every jar (CycloneDX)
	@mkdir -p build
	@$(BIN)/python -m pipeline.local.sbom > build/sbom.json
	@echo build/sbom.json

image: ## Build a release's image: BASE=python:3.12-slim@sha256:...
	@.ci/release '$(BASE)'
	docker build --build-arg BASE='$(BASE)' --tag '$(IMAGE)' .

docs: $(DOCS)/.installed ## Build the documentation's site into build/site; fails on a broken link
	@NO_MKDOCS_2_WARNING=1 $(DOCS)/bin/python -m mkdocs build --strict --clean
	@echo 'build/site: $(PYTHON) -m http.server --bind 127.0.0.1 --directory build/site shows it on port 8000'

$(DOCS)/.installed: requirements.docs.lock
	@$(PYTHON) -m venv $(DOCS)
	@$(DOCS)/bin/python -m pip --disable-pip-version-check --quiet install --no-compile --no-deps --require-hashes -r requirements.docs.lock
	@touch $@

reference: install ## Write the pages anew that are generated from the code
	@$(BIN)/python -m tools.docs.reference

lock: ## Write the locks anew from pyproject.toml
	@$(PYTHON) -m venv $(LOCKER)
	@$(LOCKER)/bin/python -m pip --disable-pip-version-check --quiet install '$(UV)'
	@printf 'setuptools>=77\n' | $(LOCKER)/bin/uv pip compile --quiet --upgrade --universal --python-version 3.11 \
		--extra local --extra dev --generate-hashes --no-annotate --no-emit-index-url \
		--custom-compile-command 'make lock' --output-file requirements.lock pyproject.toml -
	@printf 'setuptools>=77\n' | $(LOCKER)/bin/uv pip compile --quiet --universal --python-version 3.11 \
		--constraint requirements.lock --extra local --generate-hashes --no-annotate --no-emit-index-url \
		--custom-compile-command 'make lock' --output-file requirements.run.lock pyproject.toml -
	@printf 'setuptools>=77\n' | $(LOCKER)/bin/uv pip compile --quiet --universal --python-version 3.11 \
		--constraint requirements.lock --generate-hashes --no-annotate --no-emit-index-url \
		--custom-compile-command 'make lock' --output-file requirements.image.lock pyproject.toml -
	@$(LOCKER)/bin/uv pip compile --quiet --upgrade --universal --python-version 3.11 \
		--constraint requirements.lock --group docs --generate-hashes --no-annotate --no-emit-index-url \
		--no-emit-package novasvg --no-emit-package quickjs-ng --no-emit-package termaid \
		--custom-compile-command 'make lock' --output-file requirements.docs.lock
