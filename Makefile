# Everything is installed into .venv; `make demo` and `make test` set it up first.
PYTHON ?= $(shell for v in 3.11 3.12 3.10; do command -v python$$v >/dev/null 2>&1 && python$$v -c '' 2>/dev/null && echo python$$v && break; done || echo python3)
VENV := .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.ready
# Engines and tests start many Python processes; compiling TensorFlow's modules in each would take half a minute.
unexport PYTHONDONTWRITEBYTECODE
# Number of test processes, more than cores: while the engines of one start for seconds, others use the cores.
WORKERS ?= 3

# Test durations: a JUnit file of the last run of each target.
RESULTS := .test-results
PYTEST = $(BIN)/python -m pytest -n $(WORKERS) --durations=25
# Tests of a file share its engines. Unit tests share less, so an idle worker may take some from another.
BY_FILE := --dist loadfile --no-loadscope-reorder
BY_TEST := --dist worksteal

.PHONY: help setup demo unit test lint bench constraints clean

help:  ## list these targets
	@awk -F ':.*## ' '/^[a-z]+:.*## / {printf "%-12s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

setup: $(STAMP)  ## install eugenie, its engines and the development tools into .venv

$(STAMP): pyproject.toml constraints.txt
	@test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	@echo "setup: installing eugenie and its engines into $(VENV) (a few minutes the first time)"
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt uv
	@$(BIN)/uv pip install --quiet --system-certs --python $(BIN)/python -c constraints.txt -e '.[dev]'
	@touch $@

demo: setup  ## run the whole pipeline on a simulated plant; ARGS=--keep leaves it running
	@$(BIN)/eugenie demo $(ARGS)

unit: WORKERS = 2  # they wait for nothing
unit: setup  ## run the unit tests that are not slow, without engines, in under a minute
	@$(PYTEST) $(BY_TEST) --junitxml=$(RESULTS)/unit.xml tests/unit -m "not slow" $(ARGS)

test: setup lint  ## lint, then run every test, on real engines
	@$(PYTEST) $(BY_FILE) --junitxml=$(RESULTS)/test.xml $(ARGS)

lint: setup  ## run ruff, mypy and the import contracts
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --quiet --check .
	@$(BIN)/mypy
	@$(BIN)/lint-imports

bench: setup  ## run one benchmark, such as NAME=stream
	@$(BIN)/python -m benchmarks.$(NAME) $(ARGS)

constraints: setup  ## pin every dependency again
	@{ echo "# Every dependency, pinned, for Python 3.10-3.12. Regenerate: make constraints"; \
	  $(BIN)/uv pip compile --quiet --universal --python-version 3.10 --no-annotate --no-header --no-emit-index-url \
	    --extra dev pyproject.toml; } > constraints.new && mv constraints.new constraints.txt

clean:  ## remove the environment, caches and test results
	rm -rf $(VENV) $(RESULTS) .mypy_cache .ruff_cache .pytest_cache
