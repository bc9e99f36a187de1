# Every target does its own set-up: Python >= 3.11 is all that a machine needs.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
RUN := $(VENV)/.run
DEV := $(VENV)/.dev

.PHONY: demo test picture lint types imports unit e2e histories laws torture bench mutation lock clean

demo: $(RUN)
	@$(BIN)/tierstream demo $(if $(filter once,$(DEMO)),--once)

test: $(DEV) lint types imports
	@$(BIN)/python -m pytest tests/unit tests/property tests/contract tests/integration tests/stories tests/torture

unit: $(DEV)
	@$(BIN)/python -m pytest tests/unit tests/property

lint: $(DEV)
	@$(BIN)/ruff check --quiet . && $(BIN)/ruff format --quiet --check .

types: $(DEV)
	@$(BIN)/mypy --no-error-summary

imports: $(DEV)
	@$(BIN)/lint-imports --no-cache > /dev/null || $(BIN)/lint-imports --no-cache

e2e: $(DEV)
	@$(BIN)/python -m pytest tests/e2e

# The README's picture, as the browser test took it.
picture: e2e
	@cp out/claimed-1440-light.png tests/e2e/desk.png

histories: $(DEV)
	@$(BIN)/python -m pytest tests/history

# The laws of the core on thousands of generated histories each: an hour or so.
laws: $(DEV)
	@TIERSTREAM_LAW_HISTORIES=$(or $(HISTORIES),3000) TIERSTREAM_ORACLE_SEEDS=20 $(BIN)/python -m pytest tests/property \
		--timeout 7200

torture: $(DEV)
	@$(BIN)/python -m tests.torture $(if $(SEED),--seed $(SEED)) $(if $(PLANT),--plant $(PLANT))

bench: $(DEV)
	@$(BIN)/python -m tests.bench

# Mutants of the scoring core, outside CI: hours for all of it. ONLY='services.scorer.core.tiers*' takes
# a part; without ONLY those that were judged before keep their verdict. See tests/mutation/SURVIVORS.md.
mutation: $(DEV)
	@$(BIN)/mutmut run --max-children $(if $(CHILDREN),$(CHILDREN),1) $(if $(ONLY),"$(ONLY)")
	@$(BIN)/python -m tests.mutation $(if $(ONLY),"$(ONLY)")

# The locks: every package with its hashes, for every supported Python and platform.
lock: $(DEV)
	$(BIN)/pip install --quiet uv
	$(BIN)/uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-emit-index-url \
		--no-header pyproject.toml --group run -o requirements.lock
	$(BIN)/uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-emit-index-url \
		--no-header pyproject.toml --group dev -o requirements-dev.lock

clean:
	rm -rf $(VENV) out build *.egg-info .mypy_cache .ruff_cache .pytest_cache .hypothesis

$(VENV)/bin/python:
	@$(PYTHON) -c 'import sys; sys.exit("Python 3.11 or later is needed, this is " + sys.version.split()[0] + \
		": make PYTHON=python3.12 ...") if sys.version_info < (3, 11) else None'
	@$(PYTHON) -m venv $(VENV)

$(RUN): requirements.lock pyproject.toml | $(VENV)/bin/python
	@test -f $(DEV) || { echo "installing packages (once)"; \
		$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements.lock; }
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation -e .
	@touch $@

$(DEV): requirements-dev.lock pyproject.toml | $(VENV)/bin/python
	@echo "installing packages for tests (once)"
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements-dev.lock
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation -e .
	@touch $@
