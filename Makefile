# Everything lives in .venv; `make demo` and `make test` set it up first.
PYTHON ?= $(shell for v in 3.11 3.12 3.10; do command -v python$$v >/dev/null 2>&1 && python$$v -c '' 2>/dev/null && echo python$$v && break; done || echo python3)
VENV := .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.ready
# Engines and tests start many processes of Python: compiling TensorFlow's modules in each would take half a minute.
unexport PYTHONDONTWRITEBYTECODE
# Test files at a time: engines take seconds to start, in which another file can use the cores.
WORKERS ?= 2

.PHONY: setup demo test lint bench constraints clean

setup: $(STAMP)

$(STAMP): pyproject.toml constraints.txt
	@test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	@echo "setup: installing eugenie and its engines into $(VENV) (a few minutes the first time)"
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt uv
	@$(BIN)/uv pip install --quiet --system-certs --python $(BIN)/python -c constraints.txt -e '.[dev]'
	@touch $@

demo: setup
	@$(BIN)/eugenie demo $(ARGS)

test: setup lint
	@$(BIN)/python -m pytest -n $(WORKERS) --dist loadfile --no-loadscope-reorder $(ARGS)

lint: setup
	@$(BIN)/ruff check .
	@$(BIN)/mypy
	@$(BIN)/lint-imports

bench: setup
	@$(BIN)/python -m benchmarks.$(NAME) $(ARGS)

constraints: setup
	@{ echo "# Every dependency, pinned, for Python 3.10-3.12. Regenerate: make constraints"; \
	  $(BIN)/uv pip compile --quiet --universal --python-version 3.10 --no-annotate --no-header --no-emit-index-url \
	    --extra dev pyproject.toml; } > constraints.new && mv constraints.new constraints.txt

clean:
	rm -rf $(VENV) .mypy_cache .ruff_cache .pytest_cache
