# Two commands give a newcomer everything: `make demo` and `make test`. Each makes .venv from nothing.
PYTHON ?= python3
BIN := .venv/bin
PIP := $(BIN)/python -m pip --disable-pip-version-check install -q -c constraints.txt
# The sources are found by path, so that type checkers and completion see them from any folder.
EDITABLE := --config-settings editable_mode=compat -e

.PHONY: demo test soak dev docs files clean

demo: .venv/eval
	$(BIN)/sentinel demo
	$(BIN)/sentinel evaluate --preview none,full --out data/decisions
	$(BIN)/sentinel figures --data data/decisions

test: .venv/dev
	$(BIN)/python -m pytest -q

# What takes longer than a test should: the slow cells of the notebooks. The receipt says what ran, where and how long.
soak: .venv/dev
	$(BIN)/python tests/soak.py

dev: .venv/dev
	$(BIN)/nbdev_install_hooks

docs: .venv/dev
	$(BIN)/python -m sentinel.site build

# Files that are written from notebooks and code
files: .venv/dev
	$(BIN)/nbdev_export
	for f in readme script schemas tables; do $(BIN)/python -m sentinel.site $$f || exit 1; done

# A wrong Python is said before anything is made, and a .venv that was made with one is made anew.
FITS := import sys; sys.exit(not (3, 11) <= sys.version_info[:2] < (3, 14))

.venv/bin/python:
	@$(PYTHON) -c '$(FITS)' 2>/dev/null || { echo "SENTINEL needs Python 3.11 to 3.13, and $(PYTHON) is" \
	  "$$($(PYTHON) --version 2>/dev/null || echo not there): try make PYTHON=python3.12" >&2; exit 1; }
	rm -rf .venv
	$(PYTHON) -m venv .venv

.venv/eval: .venv/bin/python settings.ini setup.py constraints.txt
	@$(BIN)/python -c '$(FITS)' 2>/dev/null || $(MAKE) -B .venv/bin/python
	$(PIP) $(EDITABLE) '.[eval]'
	touch $@

.venv/dev: .venv/bin/python settings.ini setup.py constraints.txt
	@$(BIN)/python -c '$(FITS)' 2>/dev/null || $(MAKE) -B .venv/bin/python
	$(PIP) $(EDITABLE) '.[dev]'
	touch $@ .venv/eval

clean:
	rm -rf .venv _docs _proc _pages zensical.toml build *.egg-info
