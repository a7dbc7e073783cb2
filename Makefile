# Needs Python >= 3.11 and make. `make help` lists what it does.
PYTHON ?= python3
export PYTHON
MAKEFLAGS += --no-print-directory

VENV := .venv
LOG := $(or $(SPANFEED_HOME),var)/logs/setup.log
PROGRESS := $(VENV)/bin/python scripts/progress.py
NODE := scripts/with-node.sh
BESIDE := $(VENV)/bin/python scripts/beside.py
PYTHON_ROOMS := pipeline tasks web scripts migrations celeryconfig.py
# The longest come first, so that no processor waits at the end.
CHECKS := $(VENV)/bin/mypy -- $(NODE) npm --prefix frontend run check -- \
	$(VENV)/bin/bandit --quiet --configfile pyproject.toml --recursive $(PYTHON_ROOMS) -- \
	$(VENV)/bin/lint-imports -- $(VENV)/bin/ruff check -- $(VENV)/bin/ruff format --check
# Writes the bytecode of all tests once, which otherwise each of the processes that run them would make for itself.
COMPILED := $(VENV)/bin/python -c "import pytest; pytest.main('--collect-only -o addopts= -p no:terminal'.split())"
UV := $(VENV)/bin/uv
UV_COMPILE := $(UV) pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-annotate --no-header
PAGE_SOURCES := $(shell find frontend -name node_modules -prune -o -name test-results -prune -o -name dist -prune -o \
	-type f ! -name '*.tsbuildinfo' -print 2>/dev/null)

.DEFAULT_GOAL := help
.PHONY: help setup setup-dev page run test test-programs faults faults-meta soak fuzz test-chroma recording lint format lock audit sbom clean again
.DELETE_ON_ERROR:
.NOTPARALLEL:

help: ## Lists what there is to make.
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "  make %-10s %s\n", $$1, $$2}' $(firstword $(MAKEFILE_LIST))

run: setup page ## Starts everything; Ctrl-C ends it. PORT=… and SPANFEED_HOME=… are respected.
	@exec $(VENV)/bin/spanfeed up

setup: $(VENV)/.installed ## Makes the virtual environment with the pinned packages.
	@:

setup-dev: $(VENV)/.installed-dev
	@:

page: web/static/app/.built ## Builds the page, with a Node.js of its own where there is none.
	@:

test: setup-dev page test-programs frontend/node_modules/.installed ## Runs every check and every test.
	@$(BESIDE) $(CHECKS) -- $(COMPILED) -- $(NODE) npm --prefix frontend test
	@$(VENV)/bin/python -m pytest -n 4 --dist worksteal

test-programs: setup-dev
	@scripts/test-programs.sh

faults: setup-dev test-programs ## Injects 300 faults over three seeds and judges what is left.
	@$(VENV)/bin/python -m tests.faults --seed 1 --faults 100
	@$(VENV)/bin/python -m tests.faults --seed 2 --faults 100 --database postgresql
	@$(VENV)/bin/python -m tests.faults --seed 3 --faults 100 --database postgresql --profile always

faults-meta: setup-dev test-programs ## Takes four protections away, one by one; each must be missed.
	@$(VENV)/bin/python -m tests.faults.meta

soak: setup-dev test-programs ## Lets clients join, leave and resume 100,000 times while servers restart.
	@$(VENV)/bin/python -m tests.soak --joins 100000 --seed 1 --redis-restarts 20

test-chroma: setup-dev ## Tries the search with a real ChromaDB server, which it installs; needs a network.
	@test -x build/chroma/bin/chroma || { $(PYTHON) -m venv build/chroma && \
		build/chroma/bin/pip install --quiet --disable-pip-version-check 'chromadb>=1.5,<2'; }
	@TEST_CHROMA_PROGRAM=build/chroma/bin/chroma $(VENV)/bin/python -m pytest tests/rag/test_chroma.py -q

fuzz: setup-dev test-programs ## Sends 10,000 strange requests to the routes that the OpenAPI document names.
	@$(VENV)/bin/python -m pytest tests/web/test_openapi_fuzz.py -q --hypothesis-profile=fuzz --timeout=1800

recording: setup-dev page ## Makes the pictures of the README anew, from a real browser.
	@$(VENV)/bin/python -m tests.recording docs/images

lint: setup-dev frontend/node_modules/.installed ## Checks style, types, known weaknesses and imports.
	@$(BESIDE) $(CHECKS)

format: setup-dev ## Formats the Python code.
	@$(VENV)/bin/ruff check --fix
	@$(VENV)/bin/ruff format

lock: setup-dev $(UV) ## Pins the newest allowed versions of all packages, with hashes.
	@$(UV_COMPILE) --upgrade pyproject.toml -o requirements.txt
	@$(UV_COMPILE) --upgrade --extra dev pyproject.toml -o requirements-dev.txt
	@$(UV_COMPILE) --upgrade requirements-embeddings.in -o requirements-embeddings.txt
	@$(UV_COMPILE) --upgrade requirements-page.in -o requirements-page.txt

audit: setup-dev $(UV) ## Looks for known weaknesses of the pinned packages; needs a network.
	@for file in requirements.txt requirements-embeddings.txt requirements-dev.txt; do \
		$(UV) tool run --quiet --from pip-audit==2.10.1 pip-audit --strict --disable-pip --require-hashes -r $$file || exit 1; \
	done
	@$(NODE) npm --prefix frontend audit --audit-level=high

sbom: setup-dev $(UV) ## Lists what an installation consists of, as CycloneDX, in build/sbom.json; needs a network.
	@mkdir -p build
	@$(UV) tool run --quiet --from cyclonedx-bom==7.5.0 cyclonedx-py requirements requirements.txt \
		--pyproject pyproject.toml --output-reproducible --output-file build/sbom.json
	@echo "build/sbom.json"

clean: ## Removes what was built; what Spanfeed has stored in var/ stays.
	@rm -rf $(VENV) web/static/app frontend/node_modules build *.egg-info .mypy_cache .ruff_cache .pytest_cache
	@rm -rf frontend/react/dist .import_linter_cache .hypothesis
	@find pipeline tasks web tests migrations -name __pycache__ -type d -prune -exec rm -rf {} +

# A virtual environment knows its own path, so that one in a folder that was moved is made again.
ifneq ($(shell test -x $(VENV)/bin/python && cat $(VENV)/.installed 2>/dev/null),$(CURDIR))
$(VENV)/.installed: again
endif
again: ;

$(VENV)/.installed: requirements.txt pyproject.toml
	@scripts/setup.sh
	@pwd -P > $@

$(VENV)/.installed-dev: $(VENV)/.installed requirements-dev.txt
	@scripts/setup.sh dev
	@touch $@

$(UV):
	@$(PROGRESS) "Installing uv" $(LOG) -- $(VENV)/bin/python -m pip install --disable-pip-version-check uv

frontend/node_modules/.installed: frontend/package.json frontend/package-lock.json | $(VENV)/.installed
	@$(NODE) $(PROGRESS) "Installing the page's packages" $(LOG) -- npm --prefix frontend ci --no-audit --no-fund
	@mkdir -p $(@D) && touch $@

web/static/app/.built: $(PAGE_SOURCES) frontend/node_modules/.installed
	@$(NODE) $(PROGRESS) "Building the page" $(LOG) -- npm --prefix frontend run build
	@mkdir -p $(@D) && touch $@
