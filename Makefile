# On a bare machine each target makes .venv, installs into it, and does its job.
# Another Python than python3: make PYTHON=python3.12 test

PYTHON ?= python3
BIN := .venv/bin
INSTALLED := .venv/.installed

.PHONY: test lint fix demo bench docs wheel

test: lint
	$(BIN)/mypy
	$(BIN)/python -m pytest -n 2

lint: $(INSTALLED)
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .

fix: $(INSTALLED)
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

demo: $(INSTALLED)
	rm -rf demo
	$(BIN)/python -m i2ikit demo demo

bench: $(INSTALLED)
	set -e; for script in benchmarks/[!_]*.py; do $(BIN)/python $$script; done

docs: $(INSTALLED)
	$(BIN)/mkdocs build --strict

wheel: $(INSTALLED)
	rm -rf dist
	$(BIN)/python -m build --wheel --no-isolation

$(INSTALLED): pyproject.toml
	$(PYTHON) -m venv .venv
	$(BIN)/pip install --quiet --editable '.[dev]'
	touch $@
