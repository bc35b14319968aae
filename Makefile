# Parley. `make demo` and `make test` set up what they need in .venv; `make check` is what CI runs.
.DEFAULT_GOAL := help
.PHONY: help demo test check format lint types imports embedded-whisper contracts contracts-fresh contracts-baseline clean

PYTHON ?= python3.11
# A CPU build of torch for Kokoro's tests. Where the default index serves CUDA builds (several GB), point pip at
# PyTorch's own CPU index: make test TORCH_ARGS="--index-url https://download.pytorch.org/whl/cpu"
TORCH_ARGS ?=
TORCH ?= torch==2.13.0
PIP := .venv/bin/python -m pip --disable-pip-version-check --quiet
BIN := .venv/bin
CODE := servicekit gateway orchestrator stt_service tts_service toolbox tests scripts docs/examples
# One line before each slow step, with the time it began.
SAY = @printf '\n── %s  %s\n' "$$(date +%H:%M:%S)"

help:  ## What can be made
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | sort | expand -t 20

.venv/bin/python:
	@command -v $(PYTHON) >/dev/null || { echo "Parley needs Python 3.11 or later: $(PYTHON) was not found. Say which to use: make PYTHON=python3.12"; exit 1; }
	$(PYTHON) -m venv .venv

# Light: all four services with the embedded engines; no torch, nothing heavy.
.venv/.light: .venv/bin/python pyproject.toml
	$(SAY) "installing (light)"
	$(PIP) install -e ".[toolbox]"
	@touch $@

.venv/.dev: .venv/.light
	$(SAY) "installing (torch for CPU, Kokoro, faster-whisper, test tools)"
	$(PIP) install $(TORCH_ARGS) "$(TORCH)"
	$(PIP) install -e ".[dev]"
	@touch $@

.toolchain/.done: protos/requirements-toolchain.txt
	$(SAY) "installing the contracts' toolchain"
	$(PYTHON) -m venv .toolchain
	.toolchain/bin/python -m pip --disable-pip-version-check --quiet install -r protos/requirements-toolchain.txt
	@touch $@

demo: .venv/.light  ## Set up and play one call: speech in, speech out, an interruption, a farewell
	$(BIN)/parley demo $(DEMO_ARGS)

# Units side by side; what runs real processes in real time one after another, for it wants the machine to itself.
test: .venv/.dev  ## Set up and run every test
	$(SAY) "tests of units and contracts"
	@failed=0; \
	$(BIN)/python -m pytest tests/unit tests/contract -n auto --maxprocesses 4 --dist loadfile $(TEST_ARGS) || failed=1; \
	printf '\n── %s  tests with processes\n' "$$(date +%H:%M:%S)"; \
	$(BIN)/python -m pytest tests/process tests/deploy $(TEST_ARGS) || failed=1; \
	exit $$failed

check: lint types imports contracts-fresh test  ## What CI runs: format, lint, types, imports, contracts, tests

format: .venv/.dev  ## Format and mend what can be mended
	$(BIN)/ruff format $(CODE)
	$(BIN)/ruff check --fix $(CODE)

lint: .venv/.dev  ## Format and lint, changing nothing
	$(SAY) "ruff"
	$(BIN)/ruff format --check $(CODE)
	$(BIN)/ruff check $(CODE)

types: .venv/.dev  ## Types, strictly
	$(SAY) "mypy"
	$(BIN)/mypy

imports: .venv/.dev  ## Who may import whom
	$(SAY) "import-linter"
	$(BIN)/lint-imports

embedded-whisper: .venv/.dev  ## Train a small Whisper on the embedded voice, into build/embedded-whisper/model (an hour)
	$(SAY) "training the embedded Whisper: corpus, training, export, examination"
	$(BIN)/python -m scripts.embedded_whisper.train_embedded all --work build/embedded-whisper

contracts: .toolchain/.done  ## Generate the Python beside the contracts
	.toolchain/bin/python scripts/contracts.py generate

contracts-fresh: .toolchain/.done  ## Fail when the generated Python is not what the contracts say
	$(SAY) "contracts fresh"
	.toolchain/bin/python scripts/contracts.py check

contracts-baseline: .toolchain/.done  ## Accept the contracts as the ones others build on
	.toolchain/bin/python scripts/contracts.py baseline

clean:  ## Remove everything that was set up or built
	rm -rf .venv .toolchain .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache
