# Everything a fresh machine needs is Python >= 3.11, a C++ compiler and a package index.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
export PIP_DISABLE_PIP_VERSION_CHECK := 1

.PHONY: demo test check train-setup bench-serve bench-quant clean help

help:  ## what there is
	@grep -E '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed 's/:.*## /\t/'

demo: $(VENV)/.serve  ## complete in real files with the starter model
	$(BIN)/tenon demo

test: $(VENV)/.dev  ## every test, with the real model behind the real engine
	$(BIN)/python -m pytest

check: $(VENV)/.dev  ## style, types, layers
	$(BIN)/ruff check
	$(BIN)/ruff format --check
	$(BIN)/mypy
	$(BIN)/lint-imports

train-setup: $(VENV)/.serve  ## torch and what fine-tuning needs besides; tests of training run only with it
	$(BIN)/tenon setup train

bench-serve: $(VENV)/.dev  ## measure the serving path; docs/benchmarks.md says how to read it
	$(BIN)/python -m tests.benchmarks.serve

bench-quant: $(VENV)/.dev  ## what the starter's layers cost in each type: size, reading, writing
	$(BIN)/python -m tests.benchmarks.quantisation

$(VENV)/bin/python:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
		{ echo "Tenon needs Python 3.11 or newer: make PYTHON=/path/to/python3.11 $(MAKECMDGOALS)"; exit 1; }
	$(PYTHON) -m venv $(VENV)

# llama-cpp-python is built from source once (about 7 minutes on 2 cores); pip keeps the wheel.
$(VENV)/.serve: pyproject.toml | $(VENV)/bin/python
	@echo "Installing; the first time, llama.cpp is compiled, which takes some minutes."
	$(BIN)/python -m pip install --quiet --editable .
	touch $@

$(VENV)/.dev: pyproject.toml | $(VENV)/bin/python
	@echo "Installing; the first time, llama.cpp is compiled, which takes some minutes."
	$(BIN)/python -m pip install --quiet --editable '.[dev]'
	touch $@ $(VENV)/.serve

clean:  ## remove the virtual environment and all caches
	rm -rf $(VENV) .cache .mypy_cache .ruff_cache .pytest_cache .import_linter_cache
