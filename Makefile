# Everything below sets itself up: it needs make and Python 3.11 or newer, and keeps to ./.venv.

PYTHON ?=
ARGS ?=

venv := .venv
python := $(venv)/bin/python
pip := $(python) -m pip install -qq --disable-pip-version-check --require-hashes
running := $(venv)/.requirements
developing := $(venv)/.requirements-dev

.DEFAULT_GOAL := help
.PHONY: help up test chaos lint format format-check check venv tables locks docker docker-up docker-down clean

help:  ## Show these lines
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "  make %-13s %s\n", $$1, $$2}' Makefile

up: $(running)  ## Start everything: Redis, web and a worker (ARGS="--port 9000 --workers 2")
	@exec $(python) -m quickthumb up $(ARGS)

# Three processes for two cores, since the tests wait a lot. They start hundreds of Python processes: those start faster
# with the bytecode kept, also where the environment says that none is to be written.
test: $(developing)  ## Run the tests (ARGS="-k name"; ARGS="-n 0" for one process)
	@PYTHONDONTWRITEBYTECODE= $(python) -m pytest --numprocesses 3 --dist loadscope $(ARGS)

chaos: $(developing)  ## Kill everything again and again; tell what became of the jobs (CHAOS_SEED=1 repeats a run)
	@mkdir -p build/chaos
	@CHAOS=long $(python) -m pytest tests/chaos --basetemp build/chaos/logs $(ARGS)

lint: $(developing)  ## Look for mistakes: ruff, mypy --strict, the layers of imports
	@$(python) -m ruff check .
	@$(python) -m mypy
	@$(venv)/bin/lint-imports --no-logo

format: $(developing)  ## Put the code into its format
	@$(python) -m ruff check --select I --fix --quiet .
	@$(python) -m ruff format .

format-check: $(developing)  ## Say what is not in its format
	@$(python) -m ruff format --check .

check: format-check lint test  ## All that must hold before a commit: format, lint, tests

venv: $(developing)  ## Make the environment for developing, in .venv

tables: $(developing)  ## Write the tables of the docs anew, from the code
	@PYTHONPATH=. $(python) scripts/tables.py

locks: $(developing)  ## Pin anew what pyproject.toml allows, with hashes (needs uv)
	@uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-annotate --no-header \
	    pyproject.toml --output-file requirements.lock
	@uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-annotate --no-header \
	    pyproject.toml --group dev --constraint requirements.lock --output-file requirements-dev.lock

docker:  ## Build the image
	docker build --tag quickthumb .

docker-up:  ## Start Redis, web and a worker in containers, and wait until they are well
	docker compose up --build --detach --wait

docker-down:  ## Stop the containers; their volumes stay
	docker compose down

clean:  ## Remove the environment and caches; the data stays
	rm -rf $(venv) .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache build dist
	find quickthumb tests -name __pycache__ -type d -prune -exec rm -rf {} +

# A stamp is younger than the lock it was installed from. What runs the service needs no build: it runs from here.
$(running): requirements.lock | $(python)
	@echo "Installing what QuickThumb needs into $(venv) ..."
	@$(pip) -r requirements.lock
	@touch $@

# The development lock holds all of the other one.
$(developing): requirements-dev.lock requirements.lock pyproject.toml | $(python)
	@echo "Installing what developing QuickThumb needs into $(venv) ..."
	@$(pip) -r requirements-dev.lock
	@$(python) -m pip install -qq --disable-pip-version-check --no-deps --no-build-isolation --editable .
	@touch $(running) $@

$(python):
	@found=$$(PYTHON="$(PYTHON)" scripts/find-python) && \
	echo "Making the environment $(venv) with $$($$found --version) ..." && \
	$$found -m venv --clear $(venv)
