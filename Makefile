# Doorstep. `make help` lists what there is; each target sets up what it needs.
SHELL := bash
VENV := .venv
BIN := $(VENV)/bin
export PYTHONDONTWRITEBYTECODE = 1

.PHONY: help setup check test test-fast format lock

help:  ## list the targets
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 14

setup: $(VENV)/.ready  ## create .venv with everything locked in requirements.lock

$(VENV)/.ready: requirements.lock pyproject.toml
	@echo "Setting up $(VENV) (once; about half a minute) …" >&2
	@test -x $(BIN)/python || python3 -m venv $(VENV)
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements.lock
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation -e .
	@touch $@

check: setup  ## lint, format, types, import rules
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

test: setup  ## every test, on real PostgreSQL and Kafka (started for it)
	$(BIN)/pytest

test-fast: setup  ## the tests that need no server, under a minute
	$(BIN)/pytest -m "not servers and not slow"

format: setup  ## let ruff format and fix
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

lock: setup  ## resolve pyproject.toml anew into requirements.lock (needs uv)
	$(BIN)/uv pip compile -q --all-extras --generate-hashes --no-emit-index-url pyproject.toml -o requirements.lock
