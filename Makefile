# Every target sets up what it needs, in ./.venv. You need only make and Python 3.11 or newer.

PYTHON ?=
ARGS ?=

venv := .venv
python := $(venv)/bin/python
running := $(venv)/.requirements
developing := $(venv)/.requirements-dev

.DEFAULT_GOAL := help
.PHONY: help up test chaos bench lint format format-check check venv tables locks docker docker-up docker-down clean

help:  ## Show this help
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "  make %-13s %s\n", $$1, $$2}' Makefile

up: $(running)  ## Start everything: Redis, web and a worker (ARGS="--port 9000 --workers 2")
	@exec $(python) -m quickthumb up $(ARGS)

# Three processes for two cores, since the tests wait a lot. They start hundreds of Python processes, which start faster
# from cached bytecode: Python writes it even where the environment forbids it.
test: $(developing)  ## Run the tests (ARGS="-k name"; ARGS="-n 0" for one process)
	@PYTHONDONTWRITEBYTECODE= $(python) -m pytest --numprocesses 3 --dist loadscope $(ARGS)

chaos: $(developing)  ## Kill every process again and again, and report what became of the jobs (CHAOS_SEED=1 repeats a run)
	@mkdir -p build/chaos
	@CHAOS=long $(python) -m pytest tests/chaos --basetemp build/chaos/logs $(ARGS)

# Results are kept in benchmarks/results. Peers are installed under build/bench the first time.
bench: $(developing)  ## Measure QuickThumb beside Celery, RQ and others (ARGS=--quick for 3 minutes; ARGS=--help)
	@$(python) -m benchmarks $(ARGS)

lint: $(developing)  ## Check the code: ruff, mypy --strict, the import layers
	@$(python) -m ruff check .
	@$(python) -m mypy
	@$(venv)/bin/lint-imports --no-logo

format: $(developing)  ## Format the code
	@$(python) -m ruff check --select I --fix --quiet .
	@$(python) -m ruff format .

format-check: $(developing)  ## List files that are not formatted
	@$(python) -m ruff format --check .

check: format-check lint test  ## Run every check that must pass before a commit: format, lint, tests

venv: $(developing)  ## Create the development environment in .venv

tables: $(developing)  ## Regenerate the tables in the docs from the code
	@PYTHONPATH=. $(python) scripts/tables.py

locks: $(developing)  ## Regenerate the lock files from pyproject.toml, with hashes (needs uv)
	@uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-annotate --no-header \
	    pyproject.toml --output-file requirements.lock
	@uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-annotate --no-header \
	    pyproject.toml --group dev --constraint requirements.lock --output-file requirements-dev.lock

docker:  ## Build the Docker image
	docker build --tag quickthumb .

docker-up:  ## Start Redis, web and a worker in containers, and wait until they are healthy
	docker compose up --build --detach --wait

docker-down:  ## Stop the containers, but keep their volumes
	docker compose down

clean:  ## Remove the environment and all caches, but keep the data
	rm -rf $(venv) .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache build dist
	find quickthumb tests -name __pycache__ -type d -prune -exec rm -rf {} +

# A stamp file is newer than the lock file that was installed last. Running the service needs no build: it runs from
# the checkout.
$(running): requirements.lock | $(python)
	@echo "Installing the dependencies into $(venv). This takes a minute, the first time only."
	@scripts/install-locked $(python) requirements.lock
	@touch $@

# requirements-dev.lock includes everything in requirements.lock.
$(developing): requirements-dev.lock requirements.lock pyproject.toml | $(python)
	@echo "Installing the development dependencies into $(venv). This takes a minute or two, the first time only."
	@scripts/install-locked $(python) requirements-dev.lock
	@$(python) -m pip install -qq --disable-pip-version-check --no-deps --no-build-isolation --editable .
	@touch $(running) $@

$(python):
	@found=$$(PYTHON="$(PYTHON)" scripts/find-python) && \
	echo "Creating the environment $(venv) with $$($$found --version) ..." && \
	$$found -m venv --clear $(venv)
