# Everything that a person or CI runs. Needs Python 3.11 to 3.13 and make, nothing else.

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
INSTALLED := $(VENV)/.installed
DEMO ?= demo

.DEFAULT_GOAL := help
.PHONY: help install install-large demo serve test test-slow check format docs bench bench-service lock clean

help:  ## this list
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/^([a-z-]+):.*## /\1\t/' | expand -t 16

install: $(INSTALLED)  ## kuajie and what the tests need, into .venv

$(INSTALLED): requirements/dev.txt pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(not (3, 11) <= sys.version_info[:2] <= (3, 13))' || \
		{ echo "kuajie needs Python 3.11 to 3.13, got $$($(PYTHON) --version 2>&1). Run: make $(MAKECMDGOALS) PYTHON=python3.11"; exit 1; }
	@test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --require-hashes --requirement requirements/dev.txt
	$(BIN)/python -m pip install --quiet --no-deps --no-build-isolation --editable .
	@touch $@

install-large: install  ## PyTorch, sentence encoders and trackers too, whose tests are skipped without
	sed -nE 's/^([a-zA-Z0-9._-]+==[^\\]*[^ \\]) *[\\]?$$/\1/p' requirements/dev.txt > $(VENV)/known.txt
	$(BIN)/python -m pip install --quiet --constraint $(VENV)/known.txt --requirement requirements/large.txt

demo: install  ## the whole main job on a generated world, with a report
	$(BIN)/kuajie demo $(DEMO)

serve: install  ## answer over HTTP for the workspace that make demo has made
	$(BIN)/kuajie serve --workspace $(DEMO)

test: install  ## the fast tests
	$(BIN)/python -m pytest --numprocesses auto --dist loadfile --no-loadscope-reorder

test-slow: install  ## all tests, property tests on new examples
	KUAJIE_EXPLORE=1 $(BIN)/python -m pytest --numprocesses auto --dist loadfile --no-loadscope-reorder -m "slow or not slow"

check: install  ## linters, types, direction of imports
	$(BIN)/ruff check
	$(BIN)/ruff format --check
	$(BIN)/mypy
	$(BIN)/lint-imports

format: install  ## let ruff format and fix what it can
	$(BIN)/ruff check --fix
	$(BIN)/ruff format

docs: install  ## write docs/reference.md anew from the code
	$(BIN)/python docs/make_reference.py

bench: install  ## measure speed on this machine
	$(BIN)/python -m benchmarks

bench-service: install  ## measure the service under load (apt install wrk; Python without it)
	$(BIN)/python -m benchmarks.service

lock: install  ## resolve the files of requirements/ anew
	$(BIN)/python -m pip install --quiet "uv>=0.6"
	$(BIN)/uv pip compile pyproject.toml --group dev --universal --python-version 3.11 --upgrade \
		--generate-hashes --no-emit-index-url --no-header --no-annotate --quiet --output-file requirements/dev.txt
	$(BIN)/uv pip compile pyproject.toml --extra service --extra mysql --extra postgres --extra redis --extra telemetry \
		--universal --python-version 3.11 --upgrade --constraints requirements/dev.txt \
		--generate-hashes --no-emit-index-url --no-header --no-annotate --quiet --output-file requirements/service.txt

clean:  ## remove what was built here; keeps .venv
	rm -rf dist build .pytest_cache .mypy_cache .ruff_cache .hypothesis .import_linter_cache
