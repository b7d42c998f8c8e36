# Everything a fresh machine needs is Python >= 3.11, a C++ compiler and a package index.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
export PIP_DISABLE_PIP_VERSION_CHECK := 1

.PHONY: demo test test-story check vscode check-vscode test-vscode train-setup demo-train bench-serve bench-latency bench-keystrokes bench-filters bench-index bench-quant bench-adapt bench-learn bench-train bench-watch bench-switch bench-yield clean help

help:  ## what there is
	@grep -E '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed 's/:.*## /\t/'

define need-training
	@$(BIN)/python -c 'import torch, peft, datasketch, tree_sitter' 2>/dev/null || \
		{ echo "$@ needs what training needs: run make train-setup first"; exit 1; }
endef

demo: $(VENV)/.serve  ## complete in real files with the starter model
	$(BIN)/tenon demo

test: $(VENV)/.dev  ## every test, with the real model behind the real engine
	$(BIN)/python -m pytest

test-story: $(VENV)/.dev  ## from a save to an adapter that serves, twice, over LSP (8 minutes, an idle machine)
	TENON_STORY=1 $(BIN)/python -m pytest tests/e2e/test_story.py

check: $(VENV)/.dev  ## style, types, layers
	$(BIN)/ruff check
	$(BIN)/ruff format --check
	$(BIN)/mypy
	$(BIN)/lint-imports

train-setup: $(VENV)/.serve  ## torch and what training needs besides; tests of training run only with it
	$(BIN)/tenon setup train

demo-train: $(VENV)/.serve  ## learn this repository for a moment and show how the gate judges it (5 minutes)
	$(need-training)
	@echo "An adapter that is not promoted is no error here: a short run seldom wins for certain."
	$(BIN)/tenon train . --time-budget 90 --gate-seconds 150 || [ $$? -eq 3 ]

bench-index: $(VENV)/.dev  ## a repository's index: made, asked, kept fresh; 1M lines
	$(BIN)/python -m tests.benchmarks.indexing

bench-serve: $(VENV)/.dev  ## measure the serving path; docs/benchmarks.md says how to read it
	$(BIN)/python -m tests.benchmarks.serve

bench-latency: $(VENV)/.dev  ## typing, beside llama.cpp's own server: make bench-latency ARGS="--traces 2" (8 minutes, an idle machine)
	$(BIN)/python -m tests.benchmarks.typing $(ARGS)

bench-quant: $(VENV)/.dev  ## what the starter's layers cost in each type: size, reading, writing
	$(BIN)/python -m tests.benchmarks.quantisation

bench-adapt: $(VENV)/.dev  ## adapters on newer code, arm by arm: make bench-adapt BASE=model.gguf (GPU)
	@[ -n "$(BASE)" ] || { echo "bench-adapt needs a model file: make bench-adapt BASE=model.gguf"; exit 1; }
	$(BIN)/python -m tests.benchmarks.adapt $(BASE) adapt.jsonl

bench-learn: $(VENV)/.dev  ## repositories learnt on this machine, and asked about what came later: make bench-learn DATA=folder OUT=folder (15 to 20 minutes each)
	$(need-training)
	@[ -n "$(DATA)" ] && [ -n "$(OUT)" ] || { echo "bench-learn needs time-split repositories: make bench-learn DATA=folder OUT=folder"; exit 1; }
	$(BIN)/python -m tests.benchmarks.learning $(DATA) $(OUT) $(ARGS)

bench-watch: $(VENV)/.dev  ## what watching a tree of 100,000 files costs, and how soon a save is seen
	$(BIN)/python -m tests.benchmarks.watching

bench-filters: $(VENV)/.dev  ## of the suggestions shown, how many are right: make bench-filters DATA=folder (hours on 2 cores)
	@[ -n "$(DATA)" ] || { echo "bench-filters needs time-split repositories: make bench-filters DATA=folder"; exit 1; }
	$(BIN)/python -m tests.benchmarks.filters $(DATA)

bench-switch: $(VENV)/.dev  ## switching between adapters in a running engine: time and memory
	$(BIN)/python -m tests.benchmarks.switching --json switching.json

bench-yield: $(VENV)/.dev  ## completions while a training goes on, beside idle ones (15 minutes)
	$(need-training)
	$(BIN)/python -m tests.benchmarks.yielding

bench-keystrokes: $(VENV)/.dev  ## what each mechanism between two keystrokes buys, in virtual time (1 minute)
	$(BIN)/python -m tests.benchmarks.keystrokes

bench-train: $(VENV)/.dev  ## tokens/s and memory beside transformers and PEFT (GPU)
	$(need-training)
	$(BIN)/python -m tests.benchmarks.training_speed --json training-speed.json

vscode: extension/node_modules/.package-lock.json $(VENV)/bin/python  ## build the VS Code extension, with the server in it
	cd extension && node wheel.mjs $(CURDIR)/$(BIN)/python && npm run --silent package

check-vscode: extension/node_modules/.package-lock.json  ## the extension's types, style and unit tests
	cd extension && npm run --silent check

test-vscode: vscode $(VENV)/.dev  ## the extension in VS Code's real workbench; sets itself up (Linux)
	extension/e2e/run.sh

extension/node_modules/.package-lock.json: extension/package-lock.json
	@node -e 'process.exit(parseInt(process.versions.node) < 20 ? 1 : 0)' || \
		{ echo "the extension needs Node 20 or newer to be built"; exit 1; }
	cd extension && npm ci --no-audit --no-fund

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
