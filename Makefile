# Every command of the project. `make help` lists them.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
ARGS ?=
DATA_DIR ?= .data
COV ?=

export DATA_DIR
# A query reaches its command as it was typed: quotes, `$` and all.
export SQL_QUERY := $(value QUERY)

.DEFAULT_GOAL := help
.PHONY: $(shell sed -nE 's/^([a-z-]+):.*/\1/p' $(firstword $(MAKEFILE_LIST)))

help: ## List the commands
	@awk -F ':.*## ' '/^[a-z-]+:.*## /{printf "  \033[1m%-18s\033[0m %s\n", $$1, $$2}' $(MAKEFILE_LIST)

$(VENV)/bin/python:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
		{ echo "Python 3.11 or newer is needed; name one: make PYTHON=/path/to/python3.12 $(MAKECMDGOALS)"; exit 2; }
	$(PYTHON) -m venv $(VENV)

# A stamp for each lock: locked versions are installed again only when the lock changes.
$(VENV)/run.stamp: requirements.lock pyproject.toml | $(VENV)/bin/python
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements.lock
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation -e .
	@touch $@

$(VENV)/dev.stamp: requirements-dev.lock $(VENV)/run.stamp
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements-dev.lock
	@touch $@

setup: $(VENV)/run.stamp ## Install the locked versions into .venv
setup-dev: $(VENV)/dev.stamp ## The same with everything tests and benchmarks need

run: setup ## Start everything here and audit for every record (ARGS=--once: then exit; --live: real sources)
	@exec $(BIN)/python -m streams run $(ARGS)

poll: setup ## Poll one source of a running stack: make poll SOURCE=alsi_lng [ARGS=--dry-run]
	@test -n "$(SOURCE)" || { $(BIN)/python -m producers list; echo "Name one: make poll SOURCE=alsi_lng"; exit 2; }
	@exec $(BIN)/python -m producers $(SOURCE) $(ARGS)

checkpoints: setup ## What the runs of one source did: make checkpoints SOURCE=alsi_lng
	@exec $(BIN)/python -m producers checkpoints $(SOURCE)

inspect: setup ## Decoded records of any topic: make inspect TOPIC=market.infrastructure [ARGS="--limit 5"]
	@exec $(BIN)/python -m streams inspect $(TOPIC) $(ARGS)

sql: setup ## Ask ClickHouse: make sql QUERY="SELECT count() FROM power_plants" [ARGS="--format csv"]
	@exec $(BIN)/python -m streams sql $(ARGS) -- "$$SQL_QUERY"

model-migrate: setup ## Bring the tables of ClickHouse to this version of the model
	@exec $(BIN)/python -m streams model-migrate

audit: setup ## Recompute from the topics what became of every raw record
	@exec $(BIN)/python -m streams audit

dlq: setup ## Open dead letters by source, rule and day: make dlq [ARGS="--source alsi_lng --detail"]
	@exec $(BIN)/python -m streams dlq $(ARGS)

dlq-redrive: setup ## Redrive dead letters after a fix: make dlq-redrive ARGS="--rule unknown_fuel --dry-run"
	@exec $(BIN)/python -m streams dlq-redrive $(ARGS)

resume: setup ## Let a paused source go on: make resume SOURCE=alsi_lng
	@test -n "$(SOURCE)" || { echo "Name a source: make resume SOURCE=alsi_lng"; exit 2; }
	@exec $(BIN)/python -m streams resume $(SOURCE)

rules: setup ## Every reason to reject or flag a record, with its limit
	@exec $(BIN)/python -m streams rules $(ARGS)

decide: setup ## Join or part two entities by hand: make decide ARGS='must-link KIND ONE OTHER --reason "…"'
	@exec $(BIN)/python -m streams decide $(ARGS)

rebuild: setup ## Forget the pipeline's state, so that its next start decides on every raw record again
	@exec $(BIN)/python -m streams rebuild

members: setup ## Which source records each live asset is made of: make members FILE=members.csv
	@test -n "$(FILE)" || { echo "Name a file: make members FILE=members.csv"; exit 2; }
	@exec $(BIN)/python -m streams members $(FILE)

stages: setup ## The stages of the pipeline: what each reads, writes and does
	@exec $(BIN)/python -m streams stages $(ARGS)

topics: setup ## Create the declared topics that are missing, check the others
	@exec $(BIN)/python -m streams topics

schemas-check: setup ## Check every contract against all its kept versions, offline
	@exec $(BIN)/python -m streams schemas-check

schemas-freeze: setup ## Freeze new versions of contracts; they never change after that
	@exec $(BIN)/python -m streams schemas-freeze

schemas-register: setup ## Register every contract with the schema registry
	@exec $(BIN)/python -m streams schemas-register

types: setup-dev ## Write the record types of the core again from the contracts
	@exec $(BIN)/python -m streams.avro.contract_types

lint: setup-dev ## Lint, format, import rules and types
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/lint-imports --no-cache --no-logo
	$(BIN)/mypy

check: setup-dev ## The same and the tests that need no stack
	@$(MAKE) --no-print-directory -j2 lint tests ARGS='-m "not integration" $(ARGS)'

test: setup-dev ## Everything: lint, types, all tests on the real local stack (COV=1 adds coverage)
	@$(MAKE) --no-print-directory -j2 lint tests

# Two processes, each with a stack of its own, take the modules in turn. By module, not by marked
# group: xdist 3.8 names groups in a way that pytest 9.2 no longer reads.
tests: setup-dev
	$(BIN)/pytest -n 2 --dist loadfile --no-loadscope-reorder --durations=15 \
		$(if $(COV),--cov --cov-report=term-missing:skip-covered) $(ARGS)

soak: setup-dev ## Full sizes: faults, published pairs, 55,000 made-up raw records a source
	$(BIN)/pytest --soak --durations=15 tests/fault tests/integration/sink/test_kill.py \
		tests/integration/reconcile tests/core/reconcile/test_real_data.py \
		tests/stages/test_fuzz_normalize.py $(ARGS)

bench: setup-dev ## Speed against named alternatives in the same run
	@exec $(BIN)/python -m tests.bench $(ARGS)

pages: setup-dev ## Write the generated parts of the pages again
	@exec $(BIN)/python -m tests.documents

lock: ## Resolve the newest allowed versions into both lock files (needs uv)
	uv pip compile --universal --python-version 3.11 --generate-hashes --no-strip-extras --no-emit-index-url --no-header -q \
		pyproject.toml --all-extras -o requirements-dev.lock
	uv pip compile --universal --python-version 3.11 --generate-hashes --no-strip-extras --no-emit-index-url --no-header -q \
		pyproject.toml --extra build -c requirements-dev.lock -o requirements.lock

clean: ## Remove local data, state and caches (not .venv)
	rm -rf "$(DATA_DIR)" build dist .pytest_cache .mypy_cache .ruff_cache .hypothesis .coverage
