# Two commands matter: `make demo` shows it, `make test` proves it. Both set up their own environment in .venv.

VENV   := .venv
BIN    := $(VENV)/bin
PYTHON := $(shell for p in python3.13 python3.12 python3.11 python3; do \
            command -v $$p >/dev/null && $$p -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null \
            && { echo $$p; break; }; done)
LOCK   := .ci/lock.txt
NEWEST := $(VENV)/newest
# The versions of Python that `make test-newest` is about: all that this machine has.
ON     ?= $(shell .ci/pythons)

.PHONY: demo test test-slow test-long test-all test-newest coverage style check format bench torture pictures help clean lock
help:
	@echo 'make demo     render the example storyboard on the simulator (no key, no network, no cost)'
	@echo 'make test     style, types, layers, docs, and the tests of a few minutes'
	@echo 'make test-all the same, and what kills, loads and starts it from outside'
	@echo 'make coverage make test-all, measured: which lines and branches of runner/ are reached'
	@echo 'make test-newest'
	@echo '              unit and integration tests with the newest releases, on every Python of this machine'
	@echo 'make check    style, types, layers and docs only'
	@echo 'make format   rewrite the code in the house style'
	@echo 'make bench    measure against what you would use instead'
	@echo 'make torture  kill, fail and corrupt it for three quarters of an hour, and count what was paid twice or lost'
	@echo 'make pictures make the two pictures of the README (needs a Chromium)'
	@echo 'make lock     resolve the pinned versions again'

demo: $(VENV)/demo
	$(BIN)/shotrunner run manifests/storyboard.yaml --simulate

# Three workers on two cores, since a worker waits for a process or a clock now and then.
# With COVERAGE=1 it is measured which lines and branches are reached.
PYTEST := $(if $(COVERAGE),$(BIN)/coverage run -m pytest,$(BIN)/pytest)

test: style
	$(PYTEST) -n 3 --dist worksteal -m 'not slow and not long'

# Only folders with such tests are named: collecting all the others would take each worker a quarter of a minute.
test-slow: $(VENV)/test
	$(PYTEST) tests/acceptance tests/integration -n 4 --dist worksteal -m slow

test-long: $(VENV)/test
	$(PYTEST) tests/acceptance tests/integration -n 4 --dist worksteal -m long

test-all: test test-slow test-long

coverage:
	rm -f .coverage .coverage.*
	$(MAKE) test-all COVERAGE=1
	$(BIN)/coverage combine --quiet
	$(BIN)/coverage report

test-newest:
	@set -e; for python in $(ON); do \
	    echo "the newest releases on $$($$python --version)"; \
	    rm -rf $(NEWEST); \
	    $$python -m venv $(NEWEST); \
	    $(NEWEST)/bin/python -m pip install --quiet --disable-pip-version-check -e '.[video,timeline,speed,excel,cloud,dask,socks,test]'; \
	    $(NEWEST)/bin/pytest tests/unit tests/integration -n 3 --dist worksteal -m 'not slow and not long'; \
	done

style: $(VENV)/test
	$(BIN)/ruff check
	$(BIN)/ruff format --check
	$(BIN)/mypy

check: style
	$(BIN)/pytest tests/unit/test_layers.py tests/unit/test_docs.py

format: $(VENV)/test
	$(BIN)/ruff check --fix
	$(BIN)/ruff format

bench: $(VENV)/test
	$(BIN)/python -m tests.benchmarks

torture: $(VENV)/test
	$(BIN)/python -m tests.torture

pictures: $(VENV)/test
	$(BIN)/python -m tests.pictures

lock: $(VENV)/test
	$(BIN)/pip freeze --exclude-editable --exclude pip --exclude setuptools --exclude shotrunner > $(LOCK)

clean:
	rm -rf $(VENV) .coverage* .mypy_cache .pytest_cache .ruff_cache .hypothesis

$(BIN)/python:
	@test -n '$(PYTHON)' || { echo 'Shotrunner needs Python 3.11 or newer as python3'; exit 1; }
	$(PYTHON) -m venv $(VENV) || { echo 'on Debian and Ubuntu: apt-get install python3-venv'; exit 1; }

$(VENV)/demo: pyproject.toml $(LOCK) | $(BIN)/python
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -c $(LOCK) -e '.[video]'
	@touch $@

$(VENV)/test: pyproject.toml $(LOCK) | $(BIN)/python
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -c $(LOCK) -e '.[video,timeline,speed,excel,cloud,dask,socks,test]'
	@touch $@ $(VENV)/demo
