# Every job of the project by its name; `make` alone lists them. Each one sets up what it needs in
# .venv by itself: `make demo` the program and its embedded broker, the others the tools as well.

SHELL := /bin/bash
.SHELLFLAGS := -eu -o pipefail -c
.DELETE_ON_ERROR:
.DEFAULT_GOAL := help
MAKEFLAGS += --no-print-directory

VENV := .venv
BIN := $(VENV)/bin
PROGRAM := $(VENV)/.weir-program
TOOLS := $(VENV)/.weir-tools
KERNELS := $(VENV)/.weir-kernels

PYTHON_FITS := import sys; sys.exit(not (3, 11) <= sys.version_info[:2] < (3, 14))
# The first Python that fits; PYTHON=... names another one.
PYTHON ?= $(shell for name in python3 python3.13 python3.12 python3.11; do \
	if $$name -c '$(PYTHON_FITS)' 2>/dev/null; then echo $$name; break; fi; done)
PIP := $(BIN)/python -m pip --disable-pip-version-check --no-input

# Processes that tests are shared out to, a file to each at a time: JOBS=0 is one after the other.
JOBS ?= 3

# Files in the order of tests/conftest.py, the long ones first: what begins last is waited for by all.
SHARED_OUT := --dist loadfile --no-loadscope-reorder

# Tests start hundreds of processes: where no bytecode is kept, each compiles every module again.
unexport PYTHONDONTWRITEBYTECODE

# The chart has copies of its own: Helm packs nothing from beside it, and not every checkout or
# archive keeps links.
CHART_FILES := deploy/helm/weir/files

# Options for the command that a target runs: make bench ARGS="--transactions 200000"
ARGS ?=

.PHONY: help
help: ## List the targets
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) \
		| sed -E 's/^([a-z-]+):.*## (.*)/  make \1\t\2/' | expand -t 18

.PHONY: demo
demo: $(PROGRAM) $(KERNELS) ## Show alerts live, and the console where they are worked; Ctrl-C ends it
	@$(BIN)/weir demo --until-end --console-port 0 --incidents \
		--accounts 1000 --days 45 --seed 2 $(ARGS)

.PHONY: test
test: $(TOOLS) $(KERNELS) ## The everyday tests: no Docker, no Kafka, some minutes
	@$(BIN)/python -m pytest -q -n $(JOBS) $(SHARED_OUT) -m "not slow and not kafka" $(ARGS)

.PHONY: test-slow
test-slow: $(TOOLS) $(KERNELS) ## All other tests: slow ones, kills, and those on Apache Kafka
	@LAWS=whole $(BIN)/python -m pytest -q -n $(JOBS) $(SHARED_OUT) --timeout=900 \
		-m "slow or kafka" $(ARGS)

.PHONY: test-laws
test-laws: $(TOOLS) $(KERNELS) ## The laws of the everyday tests, each on all of its examples
	@LAWS=whole $(BIN)/python -m pytest -q -n $(JOBS) $(SHARED_OUT) \
		-m "law and not slow and not kafka" $(ARGS)

.PHONY: test-all
test-all: $(TOOLS) $(KERNELS) ## Every test
	@LAWS=whole $(BIN)/python -m pytest -q -n $(JOBS) $(SHARED_OUT) $(ARGS)

.PHONY: messages
messages: $(TOOLS) ## Write the template of the console's messages, and bring catalogues up to date
	@$(BIN)/python -m tests.support.messages

.PHONY: lint
lint: $(TOOLS) types site ## Style, types, who may import whom, the Compose file, and the links of the site
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check .
	@$(BIN)/lint-imports --no-logo
	@$(BIN)/check-jsonschema --builtin-schema vendor.compose-spec docker-compose.yml

.PHONY: site
site: $(TOOLS) ## Build the documents as a site in build/site; a broken link or anchor fails
	@NO_MKDOCS_2_WARNING=1 $(BIN)/mkdocs build --strict

.PHONY: types
types: $(TOOLS) ## Types alone
	@$(BIN)/mypy

.PHONY: bench
bench: $(PROGRAM) $(KERNELS) ## Measure throughput, latency and state on this machine
	@$(BIN)/weir bench $(ARGS)

.PHONY: drill
drill: $(PROGRAM) $(KERNELS) ## Kill workers under load, and count what that cost
	@$(BIN)/weir drill $(ARGS)

.PHONY: docs
docs: $(TOOLS) ## Write what is made from the code: schemas, AsyncAPI, commands, dashboards
	@$(BIN)/python -m streams.reference.documents docs
	@$(BIN)/python -m streams.reference.dashboards dashboards/grafana/dashboards
	@cp dashboards/grafana/dashboards/*.json $(CHART_FILES)/dashboards/
	@cp dashboards/rules/weir.yml $(CHART_FILES)/rules.yml

.PHONY: lock
lock: $(TOOLS) ## Lock the image's packages, with hashes; ARGS=--upgrade takes newer versions
	@$(call locked,requirements.txt) $(addprefix --extra ,$(LOCKED_EXTRAS)) pyproject.toml
	@$(BIN)/python -c 'import tomllib; print(*tomllib.load(open("pyproject.toml", "rb"))["build-system"]["requires"])' \
		| tr ' ' '\n' | $(call locked,requirements-build.txt) -

.PHONY: sbom
sbom: $(TOOLS) ## Install the locked packages by their hashes, and list them: build/weir.cdx.json (CycloneDX)
	@rm -rf build/locked && $(BIN)/python -m venv --without-pip build/locked
	@$(BIN)/python -m venv --without-pip build/cyclonedx
	@$(PIP) --python build/cyclonedx install --quiet --group sbom
	@$(PIP) --python build/locked install --quiet --no-compile --require-hashes --only-binary :all: \
		--requirement requirements.txt
	@$(PIP) --python build/locked check
	@build/cyclonedx/bin/cyclonedx-py environment --pyproject pyproject.toml --output-reproducible \
		--output-file build/weir.cdx.json build/locked/bin/python

.PHONY: clean
clean: ## Remove .venv, caches and what was fetched for the tests
	rm -rf $(VENV) .pytest_cache .ruff_cache .mypy_cache .import_linter_cache .hypothesis \
		.coverage htmlcov build dist .kafka .weir
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

# -- what the targets need ------------------------------------------------------------------------

$(BIN)/python:
	@if [ -z "$(PYTHON)" ]; then \
		echo "Weir needs Python 3.11 to 3.13, and no python3 here is one:" \
			"$$(python3 --version 2>&1 || true). Install one, or name it: make PYTHON=/path/to/python3.11" >&2; \
		exit 1; fi
	@if ! $(PYTHON) -c '$(PYTHON_FITS)' 2>/dev/null; then \
		echo "Weir needs Python 3.11 to 3.13, and $(PYTHON) is none:" \
			"$$($(PYTHON) --version 2>&1 | head -1 || true). Name another: make PYTHON=/path/to/python3.11" >&2; \
		exit 1; fi
	@$(PYTHON) -m venv $(VENV) || { rm -rf $(VENV); \
		echo "$(PYTHON) cannot make a virtual environment (Debian has it in python3-venv)" >&2; exit 1; }

# Named, since a comma in a call would begin its next argument.
RUNNING := --editable '.[demo,console]'
DEVELOPMENT := --editable '.[demo,console,oidc,insight,postgres,statements,schemas,traces]' --group dev

# What the image has beside the program's own needs: the archive and the console, a login by OpenID
# Connect, PostgreSQL, records with schemas, and traces.
LOCKED_EXTRAS := console oidc postgres schemas traces

# For every Python and system that Weir runs on; what is locked already stays as it is.
locked = $(BIN)/uv pip compile --quiet --universal --python-version 3.11 --generate-hashes \
	--custom-compile-command 'make lock' --output-file $(1) $(ARGS)

# Runs pip, and shows that it goes on: what it fetches, and how much is installed by now.
# Nothing is byte-compiled here: Python does so with what is used, and most never is.
define install
	@log=$$(mktemp); $(PIP) install --no-compile $(1) >$$log 2>&1 & pip=$$!; \
	trap 'kill $$pip 2>/dev/null || true; rm -f $$log' EXIT; \
	if [ -t 2 ]; then end='\r'; every=1; else end='\n'; every=15; fi; \
	while kill -0 $$pip 2>/dev/null; do \
		doing=$$(grep -oE '^ *(Collecting|Downloading|Installing|Using cached) [^ ]*' $$log | tail -1 || true); \
		printf "  %4d MB in $(VENV)  %-50.50s$$end" "$$(du -sm $(VENV) | cut -f1)" "$$doing" >&2; \
		sleep $$every; done; \
	if ! wait $$pip; then cat $$log >&2; exit 1; fi; [ ! -t 2 ] || printf '%-72s\r' '' >&2
endef

$(PROGRAM): pyproject.toml | $(BIN)/python
	@echo "setting up $(VENV): the program and its embedded broker, some 830 MB (once; a minute or two)" >&2
	$(call install,$(RUNNING))
	@touch $@

# Else the first worker after a change of the kernels would compile while somebody looks on.
$(KERNELS): $(wildcard models/*.py models/*/*.py streams/wire/rows/*.py monitor/ordinary/*.py) $(PROGRAM)
	@echo "compiling the models, and what reads and decides records (after each change; a minute)" >&2
	@PYTHONDONTWRITEBYTECODE= $(BIN)/python -c \
		'import streams.cli.views.live, streams.worker.worker; from models.learner import learner; from streams.worker import engines; learner.prepare(); engines.prepare()'
	@touch $@

# A new environment's pip may be too old to know dependency groups.
$(TOOLS): pyproject.toml $(PROGRAM)
	@echo "setting up $(VENV): FP-growth, and the tools for tests and checks (once; a minute)" >&2
	@$(PIP) install --quiet 'pip>=25.1'
	$(call install,$(DEVELOPMENT))
	@touch $@
