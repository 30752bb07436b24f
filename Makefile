# Needs Python 3.11 or later and make; all else comes from the lock files into .venv.
#
#   make run        the demo: makes the data of a small shop, runs a night on it, prints the headline figures
#   make test-fast  the tests that build nothing, for the inner loop: under a minute
#   make test       all tests but the longest
#   make test-long  the longest: increments against full refreshes, again and again
#   make lint       formatting, lint, deprecations
#   make bench      what a night costs with 100,000 customers; BENCH="--customers 1m" takes other options
#   make semantic   checks the metrics and asks them; ASK="--metrics nps --group-by metric_time__month" asks something else
#   make lock       the lock files anew from pyproject.toml; LOCK_FLAGS=--upgrade takes newer versions
#   make clean      removes what can be made again; the warehouse and the data stay

PYTHON ?= python3
BIN := .venv/bin
# dbt and sqlfluff compile the models for lint in a warehouse of their own: no run has to wait for it.
SCRATCH := $(CURDIR)/target/lint

# dbt holds a project's files against its schemas for a few adapters only, and says nothing of keys that later
# versions refuse when it is another: told that DuckDB is one of them, it checks ours too.
DBT_STRICT := $(BIN)/python -c 'from dbt.jsonschemas import jsonschemas; \
	jsonschemas._JSONSCHEMA_SUPPORTED_ADAPTERS.add("duckdb"); from dbt.cli.main import cli; cli()'

UV := uv==0.13.9
COMPILE := pip compile --universal --python-version 3.11 --generate-hashes --no-emit-index-url \
	--no-strip-extras --custom-compile-command "make lock" --quiet

.DELETE_ON_ERROR:
.PHONY: run test test-fast test-long lint bench semantic lock clean

run: .venv/.runtime
	$(BIN)/python -m scripts demo-data
	$(BIN)/python -m scripts nightly --source demo

test: .venv/.dev
	$(BIN)/python -m pytest -n 2 --dist loadgroup --no-loadscope-reorder --durations 15 --doctest-modules \
		-m "not long" scripts tests/python

# Whole builds over and over: before a release, and after a change of what is incremental.
test-long: .venv/.dev
	$(BIN)/python -m pytest -n 2 --dist loadgroup -m long tests/python

# Rooms whose tests start no dbt; scripts/validation is left out because Great Expectations takes long to import.
test-fast: .venv/.dev
	$(BIN)/python -m pytest -n 2 --dist loadgroup -m "not slow" --doctest-modules --ignore scripts/validation \
		scripts $(addprefix tests/python/,core contract personal_data prediction publication forget project \
		landing/test_adapters.py report/test_language.py report/test_page.py)

lint: .venv/.dev
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	mkdir -p $(SCRATCH)
	TENURE_WAREHOUSE=$(SCRATCH) DBT_TARGET_PATH=$(SCRATCH) DBT_LOG_PATH=$(SCRATCH) \
		$(BIN)/sqlfluff lint --processes 2 --disable-progress-bar models tests/dbt
	TENURE_WAREHOUSE=$(SCRATCH) $(DBT_STRICT) --no-use-colors --log-path $(SCRATCH) parse --target-path $(SCRATCH) \
		--show-all-deprecations --no-partial-parse > $(SCRATCH)/parse.txt || { cat $(SCRATCH)/parse.txt; exit 1; }
	@! grep -i -A 2 deprecat $(SCRATCH)/parse.txt

# pandas and lifetimes, which it compares with, come with the test tools.
bench: .venv/.dev
	$(BIN)/python -m scripts benchmark $(BENCH)

# mf reads target/semantic_manifest.json, and asks the warehouse of `make run`, or TENURE_WAREHOUSE.
ASK ?= --saved-query customers_by_channel --limit 12 --order -metric_time__month
semantic: .venv-semantic/.semantic
	.venv-semantic/bin/dbt --quiet parse --target-path target
	.venv-semantic/bin/mf validate-configs
	.venv-semantic/bin/mf query $(ASK)

# The development set first: what the tests ran with is what a night runs with.
lock:
	work=$$(mktemp -d) && trap 'rm -rf "$$work"' EXIT && \
	$(PYTHON) -m venv "$$work" && \
	"$$work/bin/python" -m pip install --quiet --disable-pip-version-check "$(UV)" && \
	"$$work/bin/uv" $(COMPILE) $(LOCK_FLAGS) --group dev pyproject.toml --output-file requirements-dev.lock && \
	"$$work/bin/uv" $(COMPILE) $(LOCK_FLAGS) --constraint requirements-dev.lock pyproject.toml \
		--output-file requirements.lock && \
	"$$work/bin/uv" $(COMPILE) $(LOCK_FLAGS) --constraint requirements-dev.lock --group pyproject.toml:semantic \
		--output-file requirements-semantic.lock

clean:
	rm -rf .venv .venv-semantic target logs .pytest_cache .ruff_cache .hypothesis
	find . -name __pycache__ -prune -exec rm -rf {} +

# A stamp is newer than its lock file when the environment holds what the lock file says.
.venv/bin/python:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
		{ echo "Tenure needs Python 3.11 or later; say which: make PYTHON=/path/to/python3.11" >&2; exit 2; }
	$(PYTHON) -m venv .venv

.venv/.runtime: requirements.lock | .venv/bin/python
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements.lock
	@touch $@

# Holds the runtime packages too, in the same versions.
.venv/.dev: requirements-dev.lock | .venv/bin/python
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements-dev.lock
	@touch .venv/.runtime $@

.venv-semantic/.semantic: requirements-semantic.lock
	$(PYTHON) -m venv .venv-semantic
	.venv-semantic/bin/python -m pip install --quiet --disable-pip-version-check --require-hashes \
		-r requirements-semantic.lock
	@touch $@
