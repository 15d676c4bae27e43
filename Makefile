# SpeechX. `make demo` and `make test` are all a newcomer needs; each makes (or reuses) .venv.
PYTHON ?= python3
VENV ?= .venv
BIN := $(VENV)/bin
DATA ?=
export PYTHONUNBUFFERED := 1

.DEFAULT_GOAL := help
.PHONY: help setup env env-dev env-train env-eval env-serve lint format type test test-integrations chaos demo train-smoke bench eval serve clean house contracts

help:  ## what can be made
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/^([a-z-]+):.*## (.*)/  make \1\t\2/' | expand -t 22

env:
	@VENV=$(VENV) $(PYTHON) scripts/setup_env.py
env-dev:
	@VENV=$(VENV) $(PYTHON) scripts/setup_env.py dev serve page
env-train:
	@VENV=$(VENV) $(PYTHON) scripts/setup_env.py train
env-eval:
	@VENV=$(VENV) $(PYTHON) scripts/setup_env.py eval
env-serve:
	@VENV=$(VENV) $(PYTHON) scripts/setup_env.py serve page

demo: env  ## all seven tasks on the sample recordings, written to demo/index.html
	@$(BIN)/speechx demo --output demo

test: env-dev  ## the test suite, two files at a time, and its ten slowest tests; ARGS="-n 0" runs one at a time
	@OMP_WAIT_POLICY=PASSIVE $(BIN)/python -m pytest -n 2 --dist loadfile --no-loadscope-reorder --durations=10 $(ARGS)

test-integrations:  ## tests of encodec and speechbrain, in an environment of their own (5.9 GB)
	@VENV=.venv-integrations $(PYTHON) scripts/setup_env.py integrations
	@SPEECHX_INTEGRATIONS=1 .venv-integrations/bin/python -m pytest -rs -k "not published and not real_weights" \
	  tests/speechx/models/codec/test_encodec.py tests/speechx/models/codec/test_pretrained.py tests/eval/systems/test_speechbrain.py \
	  tests/speechx/data/test_dropping.py

chaos: env-dev  ## faults under load: kills every process of a server, writes the table of docs/reliability.md
	@SPEECHX_CHAOS=long $(BIN)/python -m pytest -m chaos tests/chaos $(ARGS)

setup: env-dev  ## .venv with everything for working on SpeechX, and the pre-commit hook
	@if [ -d .git ]; then $(BIN)/pre-commit install; fi

lint: env-dev  ## ruff, the type checker, the import contracts
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	@$(MAKE) --no-print-directory type contracts

format: env-dev  ## let ruff fix what it can
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

type: env-dev house  ## the type checker alone
	$(BIN)/mypy

contracts: house
	cd build/house && $(abspath $(BIN))/lint-imports $(CURDIR)/pyproject.toml --no-cache

house:  # build/house/speechx: the package as a wheel lays it out, in links, for tools that read folders
	@rm -rf build/house && mkdir -p build/house/speechx
	@ln -s $(CURDIR)/speechx/* $(CURDIR)/tasks $(CURDIR)/serving $(CURDIR)/eval build/house/speechx/

train-smoke: env-train  ## train codec, aligner and LM for two minutes each on generated data
	@$(BIN)/speechx train smoke

bench: env  ## speed and memory of each task on this machine
	@$(BIN)/speechx bench $(ARGS)

eval: env-eval  ## measure every task on held-out recordings: make eval DATA=path
	@$(BIN)/speechx eval all $(DATA) $(ARGS)

serve: env-serve  ## the HTTP server
	@$(BIN)/speechx serve $(ARGS)

clean:  ## remove what the other targets wrote, .venv included
	rm -rf $(VENV) demo runs/cpu runs/eval runs/smoke runs/train-smoke build dist .pytest_cache .mypy_cache .ruff_cache
