# Every command of the project. `make help` lists them.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
ARGS ?=
DATA_DIR ?= .data
COV ?=

export DATA_DIR
# A run starts a dozen processes, tests start hundreds; without compiled modules each compiles ours.
unexport PYTHONDONTWRITEBYTECODE
# A query reaches its command as it was typed: quotes, `$` and all.
export SQL_QUERY := $(value QUERY)

.DEFAULT_GOAL := help
.PHONY: $(shell sed -nE 's/^([a-z-]+):.*/\1/p' $(firstword $(MAKEFILE_LIST)))

help: ## List the commands
	@awk -F ':.*## ' '/^[a-z-]+:.*## /{printf "  \033[1m%-18s\033[0m %s\n", $$1, $$2}' $(MAKEFILE_LIST)

# Packages are gone with the Python that they were installed for.
$(shell test -x $(BIN)/python || rm -f $(VENV)/*.stamp)

# A stamp for each lock: locked versions are installed again only when the lock changes. Without the
# first one the environment was never whole, whatever is in it: it is made again from nothing.
$(VENV)/run.stamp: requirements.lock pyproject.toml
	@test -f $@ || $(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
		{ echo "Python 3.11 or newer is needed; name one: make PYTHON=/path/to/python3.12 $(MAKECMDGOALS)"; exit 2; }
	@test -f $@ || $(PYTHON) -c 'import ensurepip, venv' 2>/dev/null || \
		{ echo "$(PYTHON) has no ensurepip: install it (Debian, Ubuntu: package python3-venv) or name another one: make PYTHON=/path/to/python3.12 $(MAKECMDGOALS)"; exit 2; }
	test -f $@ || $(PYTHON) -m venv --clear $(VENV)
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

demo: setup ## A month in minutes: what goes wrong with sources, and what the product answers [DAYS=30 ARGS=--once]
	@exec $(BIN)/python -m streams demo $(if $(DAYS),--days $(DAYS)) $(ARGS)

poll: setup ## Poll one source of a running stack: make poll SOURCE=alsi_lng [ARGS=--dry-run]
	@test -n "$(SOURCE)" || { $(BIN)/python -m producers list; echo "Name one: make poll SOURCE=alsi_lng"; exit 2; }
	@exec $(BIN)/python -m producers $(SOURCE) $(ARGS)

try-file: setup ## How well a file is read: make try-file FILE=units.xlsx SOURCE=gem_transmission [ARGS="--list nep_new_lines"]
	@test -n "$(FILE)" -a -n "$(SOURCE)" || { echo "Name both: make try-file FILE=units.xlsx SOURCE=gem_transmission"; exit 2; }
	@exec $(BIN)/python -m producers try-file $(SOURCE) "$(FILE)" $(ARGS)

checkpoints: setup ## What the runs of one source came to: make checkpoints SOURCE=alsi_lng
	@exec $(BIN)/python -m producers checkpoints $(SOURCE)

trace: setup ## Follow one record through all stages: make trace ID=ES_BARCELONA DAY=2026-04-08 [ARGS=--json]
	@test -n "$(ID)" || { echo "Name a record: make trace ID=ES_BARCELONA DAY=2026-04-08"; exit 2; }
	@exec $(BIN)/python -m streams trace "$(ID)" $(if $(DAY),--day $(DAY)) $(ARGS)

inspect: setup ## Decoded records of any topic: make inspect TOPIC=market.infrastructure [ARGS="--last 5"]
	@exec $(BIN)/python -m streams inspect $(TOPIC) $(ARGS)

sql: setup ## Ask ClickHouse: make sql QUERY="SELECT count() FROM power_plants" [ARGS="--format csv"]
	@exec $(BIN)/python -m streams sql $(ARGS) -- "$$SQL_QUERY"

export: setup ## Every view as Parquet with a data dictionary: make export DIR=export
	@test -n "$(DIR)" || { echo "Name a folder: make export DIR=export"; exit 2; }
	@exec $(BIN)/python -m streams export "$(DIR)"

export-raw: setup ## Back up raw topics and decisions as Avro files: make export-raw DIR=backup [SOURCE=alsi_lng]
	@test -n "$(DIR)" || { echo "Name a folder: make export-raw DIR=backup"; exit 2; }
	@exec $(BIN)/python -m streams export-raw "$(DIR)" $(if $(SOURCE),--source $(SOURCE))

import-raw: setup ## Restore what export-raw wrote into an empty deployment: make import-raw DIR=backup
	@test -n "$(DIR)" || { echo "Name a folder: make import-raw DIR=backup"; exit 2; }
	@exec $(BIN)/python -m streams import-raw "$(DIR)"

api: setup ## Serve the ClickHouse that CLICKHOUSE_DSN names over HTTP, read only
	@exec $(BIN)/python -m streams api

model-migrate: setup ## Bring the tables of ClickHouse to this version of the model
	@exec $(BIN)/python -m streams model-migrate

sink-reload: setup ## Load ClickHouse again from Kafka: after its directory was lost, or for a new server
	@exec $(BIN)/python -m streams sink-reload

audit: setup ## Recompute from the topics what became of every raw record
	@exec $(BIN)/python -m streams audit

dlq: setup ## Open dead letters, and what ClickHouse refused: make dlq [ARGS="--source alsi_lng --detail"]
	@exec $(BIN)/python -m streams dlq $(ARGS)

dlq-redrive: setup ## Redrive dead letters after a fix: make dlq-redrive ARGS="--rule unknown_fuel --dry-run"
	@exec $(BIN)/python -m streams dlq-redrive $(ARGS)

resume: setup ## Let a paused source, or topic of the sink, go on: make resume SOURCE=alsi_lng
	@test -n "$(SOURCE)" || { echo "Name a source: make resume SOURCE=alsi_lng"; exit 2; }
	@exec $(BIN)/python -m streams resume $(SOURCE)

rules: setup ## Every reason to reject or flag a record, with its limit
	@exec $(BIN)/python -m streams rules $(ARGS)

decide: setup ## Join or part two entities by hand: make decide ARGS='must-link KIND ONE OTHER --reason "…"'
	@exec $(BIN)/python -m streams decide $(ARGS)

candidates: setup ## Pairs that scores cannot tell, with the commands that decide them [ARGS="--limit 50"]
	@exec $(BIN)/python -m streams candidates $(ARGS)

# The same as `make replay REBUILD=1`.
rebuild: setup ## Grow a next generation from all raw records beside the running one [DIFF=1, SWITCH=1 or DROP=1]
	@test -z "$(SOURCE)$(FROM)$(TO)$(KEY)$(DRY_RUN)" || { echo "A rebuild is of everything: DIFF=1, SWITCH=1 or DROP=1"; exit 2; }
	@exec $(BIN)/python -m streams rebuild $(if $(DIFF),--diff) $(if $(SWITCH),--switch) $(if $(DROP),--drop) $(ARGS)

replay: setup ## Decide again with today's code: make replay [SOURCE=alsi_lng FROM=2024-01-01 TO=… KEY=… DRY_RUN=1; REBUILD=1: rebuild]
	@test -z "$(REBUILD)" || exec $(MAKE) --no-print-directory rebuild; \
	test -n "$(REBUILD)" || exec $(BIN)/python -m streams replay $(if $(SOURCE),--source $(SOURCE)) $(if $(FROM),--from $(FROM)) $(if $(TO),--to $(TO)) $(if $(KEY),--key "$(KEY)") $(if $(DRY_RUN),--dry-run) $(ARGS)

members: setup ## Which source records each live asset is made of: make members FILE=members.csv
	@test -n "$(FILE)" || { echo "Name a file: make members FILE=members.csv"; exit 2; }
	@exec $(BIN)/python -m streams members $(FILE)

stages: setup ## The stages of the pipeline: what each reads, writes and does
	@exec $(BIN)/python -m streams stages $(ARGS)

rights: setup ## What each role may do at Kafka and PostgreSQL: make rights [ROLE=pipeline ARGS=--grant]
	@exec $(BIN)/python -m streams rights $(ROLE) $(ARGS)

topic-remake: setup ## Give a topic its declared partitions again: make topic-remake TOPIC=raw.alsi_lng
	@test -n "$(TOPIC)" || { echo "Name a topic: make topic-remake TOPIC=raw.alsi_lng"; exit 2; }
	@exec $(BIN)/python -m streams topic-remake $(TOPIC)

topics: setup ## Create the declared topics that are missing, check the others (ARGS=--check: only check; --fix: alter settings)
	@exec $(BIN)/python -m streams topics $(ARGS)

schemas-check: setup ## Check every contract against all its kept versions, offline
	@exec $(BIN)/python -m streams schemas-check

schemas-freeze: setup ## Freeze new versions of contracts; they never change after that
	@exec $(BIN)/python -m streams schemas-freeze

schemas-diff: setup ## What the schema registry has and this clone lacks, and the reverse
	@exec $(BIN)/python -m streams schemas-diff

schemas-register: setup ## Register every contract with the schema registry
	@exec $(BIN)/python -m streams schemas-register

types: setup-dev ## Write the record types of the core again from the contracts
	@exec $(BIN)/python -m streams.avro.contract_types

lint: setup-dev ## Lint, format, import rules and types
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/lint-imports --no-cache --no-logo
	$(BIN)/mypy

check: setup-dev ## The same and the tests that need no stack, browser or real files
	@$(MAKE) --no-print-directory -j2 lint tests ARGS='-m "not (integration or processes or browser or real_data or prometheus or kustomize)" $(ARGS)'

test: setup-dev ## Everything: lint, types, all tests on the real local stack (COV=1 adds coverage)
	@$(MAKE) --no-print-directory -j2 lint tests

# Three processes, each with a stack of its own, take the modules in turn: tests of faults wait half of
# their time, so that two leave a third of two cores idle. By module, not by marked group: xdist 3.8
# names groups in a way that pytest 9.2 no longer reads.
tests: setup-dev
	$(BIN)/pytest -n 3 --dist loadfile --no-loadscope-reorder --durations=15 \
		$(if $(COV),--cov --cov-report=term-missing:skip-covered) $(ARGS)

soak: setup-dev ## Full sizes: faults, published pairs, 55,000 made-up raw records a source
	$(BIN)/pytest --soak --durations=15 tests/fault tests/integration/sink/test_kill.py tests/integration/commands/test_run.py tests/integration/commands/test_demo.py \
		tests/integration/test_infrastructure_connectors.py tests/integration/local/test_stack.py tests/integration/security \
		tests/integration/test_dashboard.py \
		tests/integration/reconcile tests/core/reconcile/test_real_data.py \
		tests/integration/kafka/test_used_schemas.py tests/core/test_geography.py \
		tests/stages/test_fuzz_normalize.py tests/serve/test_fuzz.py \
		tests/producers/test_faults.py tests/producers/test_mutated_files.py tests/producers/sources/test_gem_transmission.py $(ARGS)

bench: setup-dev ## Speed against named alternatives in the same run
	@exec $(BIN)/python -m tests.bench $(ARGS)

screenshot: setup-dev ## The README's picture, of what `make run` runs meanwhile
	@exec $(BIN)/python -m tests.screenshot $(ARGS)

score: setup-dev ## How well plants and terminals are matched, on the complete real files, with intervals
	@exec $(BIN)/python -m tests.score $(ARGS)

audit-dependencies: setup-dev ## What is known against the locked versions, asked of the OSV database
	@exec $(BIN)/python -m tests.dependencies audit $(ARGS)

sbom: setup-dev ## A bill of materials (CycloneDX) of the locked versions: make sbom [FILE=build/sbom.json]
	@exec $(BIN)/python -m tests.dependencies sbom "$(or $(FILE),build/sbom.json)"

pages: setup-dev ## Write the generated parts of the pages again
	@exec $(BIN)/python -m tests.documents

lock: ## Resolve the newest allowed versions into both lock files (needs uv)
	uv pip compile --universal --python-version 3.11 --generate-hashes --no-strip-extras --no-emit-index-url --no-header -q \
		pyproject.toml --all-extras -o requirements-dev.lock
	uv pip compile --universal --python-version 3.11 --generate-hashes --no-strip-extras --no-emit-index-url --no-header -q \
		pyproject.toml --extra build -c requirements-dev.lock -o requirements.lock

clean: ## Remove local data, state and caches (not .venv)
	rm -rf "$(DATA_DIR)" build dist .pytest_cache .mypy_cache .ruff_cache .hypothesis .coverage
