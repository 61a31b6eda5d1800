# Two commands give a newcomer everything: `make demo` and `make test`. Each makes .venv from nothing.
PYTHON ?= python3
BIN := .venv/bin
PIP := $(BIN)/python -m pip --disable-pip-version-check install -q -c constraints.txt

.PHONY: demo test dev docs clean

demo: .venv/core
	$(BIN)/sentinel demo

test: .venv/dev
	$(BIN)/python -m pytest -q

dev: .venv/dev
	$(BIN)/nbdev_install_hooks

docs: .venv/dev
	$(BIN)/python -m sentinel.site build

.venv/bin/python:
	$(PYTHON) -m venv .venv

.venv/core: .venv/bin/python settings.ini setup.py constraints.txt
	$(PIP) -e .
	touch $@

.venv/dev: .venv/bin/python settings.ini setup.py constraints.txt
	$(PIP) -e '.[dev]'
	touch $@ .venv/core

clean:
	rm -rf .venv _docs _proc _pages zensical.toml build *.egg-info
