# Every command there is. `make` alone prints this list.
SHELL := /bin/bash
.DEFAULT_GOAL := help

# Any Python from 3.11 to 3.14; PYTHON=… chooses another. Without one, uv finds or fetches one.
PYTHON ?= $(shell for p in python3.13 python3.14 python3.12 python3.11 python3; do \
	command -v $$p >/dev/null && $$p -c 'import sys; sys.exit(not (3, 11) <= sys.version_info[:2] < (3, 15))' 2>/dev/null \
	&& { echo $$p; break; }; done)
UV := $(shell command -v uv)
BIN := .venv/bin
PIP := $(BIN)/python -m pip install --quiet --disable-pip-version-check
TOOLS := .venv-tools/.installed
HASHES := .venv-tools/bin/uv pip compile --quiet --universal --python-version 3.11 --generate-hashes \
	--no-header --no-annotate --constraint constraints.txt --extra postgres
PYTEST := $(BIN)/python -m pytest
# Tiers that need nothing but processors run on all of them. Tiers that also wait (for brokers, for
# deadlines) run two at a time, each with a broker of its own, long files first; but for the tests
# marked `alone`, which measure time or take all that the machine has.
SPREAD := tests/unit tests/property tests/contract tests/simulation tests/soak tests/test_tidy.py
PAIRED := tests/cluster tests/e2e tests/attack tests/conformance tests/integration
SPREADING := -n auto --dist loadscope -m 'not kafka'
PAIRING := -n 2 --dist loadscope --no-loadscope-reorder --durations=15 -m 'not alone'
RUN := .venv/.installed
DEV := .venv/.installed-dev
COMPOSE := docker compose $(if $(GATEWAY_DOMAIN),-f compose.yaml -f compose.tls.yaml)
SEED ?= 1
SEEDS ?= 10000
SOAK_CYCLES ?= 1000
SOAK_MINUTES ?= 25
WRITE ?= --write
FUZZ_S ?= 600
GARBLED ?= 100000
FUZZED ?= 1000000

.PHONY: help run test check fix lint types unit property contract conformance simulation integration e2e attack \
	cluster simulate soak kafka demo bench docs hashes audit up down logs clean

help: ## print this list
	@grep -hE '^[a-z0-9-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/:[^#]*## /\t/' | expand -t 14

$(RUN): pyproject.toml requirements.txt
	@test -x $(BIN)/python || test -n "$(PYTHON)$(UV)" \
		|| { echo "expected Python 3.11 to 3.14, or uv to fetch one; found neither" >&2; exit 2; }
	@test -x $(BIN)/python || if test -n "$(PYTHON)"; then "$(PYTHON)" -m venv .venv; \
		else "$(UV)" venv --quiet --seed --python '>=3.11,<3.15' .venv; fi
	$(PIP) --require-hashes -r requirements.txt
	$(PIP) --no-deps --no-build-isolation -e .
	@touch $@

$(DEV): $(RUN) requirements-dev.txt
	$(PIP) --require-hashes -r requirements-dev.txt
	@touch $@

$(TOOLS): ## (tools that check packages are kept out of the project's environment)
	python3 -m venv .venv-tools
	.venv-tools/bin/python -m pip install --quiet --disable-pip-version-check uv==0.13.9 pip-audit==2.10.1 cyclonedx-bom==7.5.0
	@touch $@

run: $(RUN) ## set up what is missing and run everything in one process (DIALGATE_* are its settings)
	@exec $(BIN)/dialgate up

test: $(DEV) lint types ## set up what is missing, a Kafka broker included, and run all tests
	status=0; $(PYTEST) $(SPREADING) --durations=15 $(SPREAD) || status=1; \
	$(PYTEST) -m kafka $(SPREAD) || status=1; \
	$(PYTEST) $(PAIRING) $(PAIRED) || status=1; \
	$(PYTEST) --durations=15 -m alone $(PAIRED) || status=1; exit $$status

check: $(DEV) lint types ## format, lint, types and the quick tiers: under two minutes
	$(PYTEST) $(SPREADING) $(SPREAD)

lint: $(DEV)
	$(BIN)/ruff format --check
	$(BIN)/ruff check
	$(BIN)/lint-imports

types: $(DEV)
	$(BIN)/mypy

fix: $(DEV) ## format, and apply automatic fixes
	$(BIN)/ruff format
	$(BIN)/ruff check --fix

unit property contract conformance simulation integration e2e attack cluster: $(DEV) ## run one tier of tests
	$(PYTEST) tests/$@

simulate: $(DEV) ## replay one simulated world and tell its story (SEED=7; UNTIL_S and WITHOUT make it smaller)
	@$(BIN)/python -m tests.simulation.simulate --seed $(SEED) \
	  $(if $(UNTIL_S),--until-s $(UNTIL_S)) $(if $(WITHOUT),--without $(WITHOUT))

soak: $(DEV) ## the long proofs, summed up in the documents: SEEDS worlds, SOAK_CYCLES cycles under real kills, FUZZ_S of fuzzing
	$(BIN)/python -m tests.simulation.simulate --seed 1000 \
	  $(if $(SOAK_S),--soak-s $(SOAK_S),--seeds $(SEEDS)) $(WRITE)
	$(BIN)/python -m tests.soak --cycles $(SOAK_CYCLES) --minutes $(SOAK_MINUTES) --seed $(SEED) $(WRITE)
	FUZZ_S=$(FUZZ_S) $(PYTEST) tests/e2e/test_fuzz.py
	FUZZED=$(FUZZED) $(PYTEST) tests/property/test_readers.py
	GARBLED=$(GARBLED) $(PYTEST) tests/attack/test_garbled.py
	PAST_SEEDS=100 $(PYTEST) tests/integration/test_time_travel.py
	SUBSCRIBERS_CONTACTS=10000 $(PYTEST) tests/integration/test_subscribers.py
	KILL_POINTS=0 $(PYTEST) tests/integration/test_killed_verbs.py
	CONTRACT_ON_KAFKA=all LONG_IMPORTS=1 $(PYTEST) tests/conformance

kafka: $(DEV) ## run a throw-away broker in the foreground, for DIALGATE_KAFKA_SERVERS=127.0.0.1:9092
	@exec $(BIN)/python -m tests.support.broker --port 9092

demo: $(RUN) ## show the promise against a running system (DIALGATE_API_KEY is its key)
	@exec $(BIN)/dialgate demo

bench: $(DEV) ## measure beside bare baselines, on a throw-away broker; writes docs/measurements.md (BENCH=failover: only that one)
	$(BIN)/python -m bench $(BENCH)

docs: $(DEV) ## rewrite the parts of the documents that are made from code
	$(BIN)/python -m docs.generate

hashes: $(TOOLS) ## rewrite the hashes of the pinned packages' files, for every platform
	$(HASHES) pyproject.toml deploy/build.in -o requirements.txt
	$(HASHES) --extra dev pyproject.toml deploy/build.in -o requirements-dev.txt

screenshots: $(DEV) ## take the dashboard's pictures anew, into docs/images
	$(PYTEST) -q tests/integration/test_dashboard.py -k shown_to_others --screenshots docs/images

audit: $(TOOLS) ## look the packages up among known vulnerabilities; write dist/sbom.json
	bash .ci/audit

# Secrets of this installation; those that a later version needs in addition are added.
.PHONY: secrets
secrets:
	@umask 077; touch .env; chmod 600 .env; secret() { od -An -N24 -tx1 /dev/urandom | tr -d ' \n'; }; \
		add() { grep -q "^$$1=" .env || { echo "$$1=$$2$$(secret)" >> .env; echo "added $$1 to .env"; }; }; \
		add DIALGATE_API_KEY dg_live_; add POSTGRES_PASSWORD; add KAFKA_PASSWORD; add CARRIER_SECRET

up: secrets ## run the whole system in containers, behind its gateway (GATEWAY_DOMAIN=… with TLS)
	$(COMPOSE) up --build --detach --wait

down: ## stop it, and keep its data
	$(COMPOSE) down

logs: ## follow its logs
	$(COMPOSE) logs --follow

clean: ## delete what was installed; data stay
	rm -rf .venv .venv-tools .kafka .mypy_cache .ruff_cache .pytest_cache .hypothesis
