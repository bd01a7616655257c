# One command sets up and shows the main job, one sets up and passes the tests.
PYTHON ?= python3
VENV := .venv
BIN := $(abspath $(VENV))/bin
DEMO := demo-out
LOAN := universal_bank.csv

.PHONY: demo test lint docs clean

$(VENV)/installed: pyproject.toml constraints.txt
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --constraint constraints.txt --editable '.[dev]'
	$(BIN)/python -m compileall -q doctor rules # pip compiles no editable sources, nor does a Python that may not write
	touch $@

# The exit status of check is 1 here, as it should be: the data has faults.
demo: $(VENV)/installed
	rm -rf $(DEMO) && mkdir $(DEMO) && cp examples/loan/$(LOAN) $(DEMO)/
	cd $(DEMO) && $(BIN)/bindoctor check $(LOAN) --target 'Personal Loan' --fail-on never
	cd $(DEMO) && $(BIN)/bindoctor fix $(LOAN) --target 'Personal Loan' --apply

lint: $(VENV)/installed
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

test: lint
	$(BIN)/pytest -n 2

docs: $(VENV)/installed
	$(BIN)/python -m bindoctor.explain

clean:
	rm -rf $(VENV) $(DEMO) .mypy_cache .ruff_cache .pytest_cache
