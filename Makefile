# Two commands give a newcomer everything: `make demo` and `make test`. Each makes .venv from nothing.
PYTHON ?= python3
BIN := .venv/bin
PIP := $(BIN)/python -m pip --disable-pip-version-check install -q -c constraints.txt

.PHONY: demo test dev docs clean

demo: .venv/eval
	$(BIN)/sentinel demo
	$(BIN)/sentinel evaluate --out data/decisions
	$(BIN)/sentinel figures --data data/decisions

test: .venv/dev
	$(BIN)/python -m pytest -q

dev: .venv/dev
	$(BIN)/nbdev_install_hooks

docs: .venv/dev
	$(BIN)/python -m sentinel.site build

.venv/bin/python:
	$(PYTHON) -m venv .venv

.venv/eval: .venv/bin/python settings.ini setup.py constraints.txt
	$(PIP) -e '.[eval]'
	touch $@

.venv/dev: .venv/bin/python settings.ini setup.py constraints.txt
	$(PIP) -e '.[dev]'
	touch $@ .venv/eval

clean:
	rm -rf .venv _docs _proc _pages zensical.toml build *.egg-info
