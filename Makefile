# Doorstep. `make help` lists what there is; each target sets up what it needs and says at its end what it did.
SHELL := bash
VENV := .venv
BIN := $(VENV)/bin

# make demo FEED=file.csv PROFILE=profile.yaml MODE=embedded|distributed JSON=1
DEMO = $(if $(FEED),--feed "$(FEED)") $(if $(PROFILE),--profile "$(PROFILE)") $(if $(MODE),--mode $(MODE)) $(if $(JSON),--json)
PORT ?= 8080
# uv installs in seconds what takes pip half a minute; it gets the settings of pip that it does not read itself.
PIP = $(BIN)/python -m pip install --quiet --disable-pip-version-check
UV = $(if $(PIP_INDEX_URL),UV_DEFAULT_INDEX="$(PIP_INDEX_URL)") $(if $(PIP_FIND_LINKS),UV_FIND_LINKS="$(PIP_FIND_LINKS)") \
	$(if $(PIP_CERT),SSL_CERT_FILE="$(PIP_CERT)") $(BIN)/uv pip install --quiet --python $(BIN)/python
# A third of the tests' time is waiting: one worker more than two cores. Each has servers of its own; a file's tests stay
# together.
WORKERS = -n 3 --dist loadfile --no-loadscope-reorder
# Many processes are started: what was compiled once is kept, even where the surroundings say otherwise.
export PYTHONDONTWRITEBYTECODE :=

.PHONY: help setup demo run check test test-fast thorough tamper faults bench docs migration format lock

help:  ## list the targets
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 12

setup: $(VENV)/.ready  ## create .venv with everything locked in requirements.lock

$(VENV)/.ready: requirements.lock pyproject.toml
	@echo "Setting up $(VENV) (once; some seconds, a minute where uv cannot be had) …" >&2
	@test -x $(BIN)/python || python3 -m venv $(VENV)
	@sed -n '/^uv==/,/[^\\]$$/p' requirements.lock > $(VENV)/uv.txt
	@$(PIP) --require-hashes -r $(VENV)/uv.txt || true
	@$(UV) --require-hashes -r requirements.lock || $(PIP) --require-hashes -r requirements.lock
	@$(UV) --no-deps --no-build-isolation -e . || $(PIP) --no-deps --no-build-isolation -e .
	@touch $@

demo: setup  ## the main job, embedded: accounts in, visits, promises, a verified trail (FEED= PROFILE= MODE= JSON=1)
	@$(BIN)/doorstep demo $(DEMO)

run: setup  ## the embedded system on port 8080 (PORT=), until Ctrl-C
	@$(BIN)/doorstep up --port $(PORT)

check: setup  ## what events promise, lint, format, types, who may import whom, whose rows are whose, rooms without tests
	@$(BIN)/python -m docs.generate --check
	@$(BIN)/ruff check --quiet .
	@$(BIN)/ruff format --quiet --check .
	@$(BIN)/mypy
	@$(BIN)/lint-imports
	@$(BIN)/python -m checks.row_owners
	@$(BIN)/python -m checks.tenants
	@$(BIN)/python -m checks.mirrors
	@echo "Checked: lint, format, types, import rules, row owners, tenants, tests of rooms and the events' contract hold."

test: setup  ## every test, on a real PostgreSQL and Kafka (started for it; about fifteen minutes)
	@$(BIN)/pytest $(WORKERS)

test-fast: setup  ## the tests that need no server, a few minutes
	@$(BIN)/pytest $(WORKERS) -m "not servers and not slow"

thorough: setup  ## the large searches, whole: properties, forgeries and kills (within an hour on two quiet cores)
	@$(BIN)/python -m tests.thorough

faults: setup  ## kill it a hundred times, on both transports: nothing lost, doubled or swapped (some minutes)
	@$(BIN)/python -m tests.faults
	@$(BIN)/python -m tests.faults trail

tamper: setup  ## change a trail in every way on both databases, and see each change found and named (SEED=)
	@$(BIN)/python -m tests.tamper $(SEED)

bench: setup  ## measure against floors of the same run; writes docs/benchmarks.md
	@$(BIN)/python -m tests.bench

docs: setup  ## write the generated pages of docs again
	@$(BIN)/python -m docs.generate

migration: setup  ## write a migration of what changed in a service's tables (SERVICE= WHAT=)
	@$(BIN)/python -m deploy.dev.migration "$(SERVICE)" $(WHAT)

format: setup  ## let ruff format and fix
	@$(BIN)/ruff format .
	@$(BIN)/ruff check --fix .

lock: setup  ## resolve pyproject.toml again, into requirements.lock
	@$(BIN)/uv pip compile -q --all-extras --generate-hashes --no-emit-index-url pyproject.toml -o requirements.lock
	@$(BIN)/uv pip compile -q --constraint requirements.lock --generate-hashes --no-emit-index-url pyproject.toml -o deploy/requirements.lock
