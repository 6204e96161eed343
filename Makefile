# Two commands do everything: `make demo` and `make test`. Both call `make setup` first.
PYTHON ?= python3
VENV   := .venv
BIN    := $(VENV)/bin
DEMO   ?= .demo
PORT   ?= 8080
WIDGET := ui/widget

.DEFAULT_GOAL := help
.PHONY: help setup demo test widget-tools widget-test lint test-hard bench rivals lock clean

help:  ## Show this list
	@grep -E '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:[^#]*## /\t/' | expand -t 12

setup: $(VENV)/.models  ## Virtual environment, locked dependencies, models

$(VENV)/.installed: requirements.lock pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { echo "Kefu needs Python 3.11 or newer. Install it, or name it: make PYTHON=python3.12 ..." >&2; exit 1; }
	test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -r requirements.lock
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps -e .
	@touch $@

$(VENV)/.models: $(VENV)/.installed
	$(BIN)/kefu models prepare
	@touch $@

demo: setup  ## The demo company's bot on http://127.0.0.1:8080 (PORT=..., DEMO=folder)
	$(BIN)/kefu demo $(DEMO) --port $(PORT)

lint: $(VENV)/.installed  ## ruff, mypy --strict, import-linter
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports --no-logo

widget-tools:  ## TypeScript and axe-core, which check the widget (nothing of them is served)
	@if ! command -v npm > /dev/null; then echo "npm is missing: the widget's types and its accessibility are not checked. Install Node 20 or newer." >&2; \
	elif [ ! -e $(WIDGET)/node_modules/axe-core ] || [ $(WIDGET)/package.json -nt $(WIDGET)/node_modules ]; then \
	  cd $(WIDGET) && npm install --no-package-lock --no-audit --no-fund --loglevel=error && touch node_modules || echo "npm could not install TypeScript and axe-core: the widget's types and its accessibility are not checked. Try 'make widget-tools' with a network." >&2; fi
	@command -v chromium > /dev/null || command -v chromium-browser > /dev/null || command -v google-chrome > /dev/null || \
	  echo "Chromium is missing: what a person sees is not tested. Install it: apt install chromium." >&2

widget-test: widget-tools  ## The widget's own tests: node --test, tsc --checkJs --strict
	@if ! command -v node > /dev/null; then echo "Node is missing: the widget's own tests are skipped. Install Node 20 or newer." >&2; \
	else node --test --test-reporter=dot tests/ui/widget/ && { [ ! -x $(WIDGET)/node_modules/.bin/tsc ] || $(WIDGET)/node_modules/.bin/tsc -p $(WIDGET); }; fi

test: setup lint widget-test  ## Everything that fits ten minutes, with coverage
	$(BIN)/pytest -m "not hard" -n 2 --dist loadfile --cov --cov-report=
	$(BIN)/coverage report --fail-under=$(COVERAGE) | tail -n 25

COVERAGE := 90

test-hard: setup  ## The long reliability tests
	$(BIN)/pytest -m hard

bench: setup  ## Speed on this machine, as one table
	$(BIN)/kefu bench serve

rivals: setup  ## Quality beside other libraries on public sets: make rivals D=FOLDER (OPTIONS=...)
	@test -n "$(D)" || { echo "Name the folder of the public sets: make rivals D=..." >&2; exit 2; }
	$(BIN)/python -m benchmarks.rivals.run --data $(D) $(OPTIONS)

lock: $(VENV)/.installed  ## Choose versions anew from pyproject.toml (then run make test)
	$(BIN)/python -m pip install --quiet pip-tools
	$(BIN)/pip-compile --quiet --upgrade --strip-extras --no-emit-index-url --no-emit-find-links --no-annotate --extra dev --extra postgres -o requirements.lock pyproject.toml
	sed -i -e '/^kefu /d' -e 's/^\(torch==[0-9.]*\)+cpu/\1/' -e 's/^#    pip-compile.*/#    make lock/' requirements.lock

clean:  ## Remove the environments and the demo's data
	rm -rf $(VENV) .venv-rivals $(DEMO)
