# make run    set up .venv and run the embedded demo to its reports
# make test   set up .venv and run the whole test suite
# make lint   every linter; make docs: regenerate what is generated
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
CORES ?= all
export PATH := $(CURDIR)/$(BIN):$(PATH)
export PIP_DISABLE_PIP_VERSION_CHECK := 1
INSTALL := $(BIN)/python -m pip install --quiet --constraint envs/constraints.txt --editable

.PHONY: run test lint docs clean
.DELETE_ON_ERROR:

run: $(VENV)/.run
	@snakemake --cores $(CORES) --quiet rules
	@echo "Reports: results/index.html"

test: $(VENV)/.test
	@python -m pytest -n 2 --dist worksteal $(PYTEST)

lint: $(VENV)/.dev
	ruff check .
	ruff format --check .
	mypy
	lint-imports
	codespell neuropipe tests workflow docs README.md config/README.md
	snakefmt --check Snakefile workflow
	snakemake --lint
	python -m neuropipe reference --check

docs: $(VENV)/.run
	python -m neuropipe reference

$(VENV)/.venv:
	@$(PYTHON) -c 'import sys; v = sys.version_info[:2]; sys.exit(not (3, 11) <= v <= (3, 13) and f"Python 3.11 to 3.13 is needed, {sys.executable} is {v[0]}.{v[1]}: make PYTHON=python3.12")'
	@echo "Setting up $(VENV) (a few minutes, once)"
	@$(PYTHON) -m venv $(VENV)
	@touch $@

$(VENV)/.run: $(VENV)/.venv pyproject.toml envs/constraints.txt
	@$(INSTALL) .
	@touch $@

$(VENV)/.test: $(VENV)/.run
	@$(INSTALL) '.[test]'
	@touch $@

$(VENV)/.dev: $(VENV)/.test
	@$(INSTALL) '.[dev]'
	@touch $@

clean:
	rm -rf $(VENV) results resources logs benchmarks .snakemake
