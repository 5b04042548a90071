# Millrace. `make` lists the tasks; `make test` is what CI runs.
.DEFAULT_GOAL := help
SHELL := /bin/bash
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.installed
KERNEL := $(VENV)/.kernel
KERNEL_FREE := build/kernel-free
# What the committer has from the runtime, or from the layers of the other functions.
ELSEWHERE := botocore python-dateutil six urllib3 annotated-types pydantic pydantic-core typing-extensions typing-inspection
export PATH := $(CURDIR)/$(BIN):$(PATH)
export JSII_SILENCE_WARNING_END_OF_LIFE_NODE_VERSION := 20
# Containers often set it. Each process of the suites then compiles all that it imports: 1.5 s more for pytest alone.
unexport PYTHONDONTWRITEBYTECODE

.PHONY: help install demo test suites suites-infra suites-computing suites-end-to-end unit coverage properties hostile fuzz fuzz-native simulate fire big-runs mutants check fix synth docs docs-site bench bench-full pictures dist release-files lock lowest clean

help: ## List the tasks
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | awk -F ':.*## ' '{printf "  make %-10s %s\n", $$1, $$2}'

install: $(STAMP) $(KERNEL) ## Make .venv with the console command, the CDK and everything the other tasks need

$(STAMP): pyproject.toml requirements/dev.txt package-lock.json
	@$(PYTHON) -c 'import sys; sys.version_info >= (3, 11) or sys.exit("Millrace needs Python 3.11 or newer, found " + sys.version.split()[0] + "; name another with: make PYTHON=python3.13 ...")'
	test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check "$$(grep -oE '^uv==[0-9.]+' requirements/dev.txt)"
	VIRTUAL_ENV=$(VENV) $(BIN)/uv pip sync --quiet --require-hashes requirements/dev.txt
	VIRTUAL_ENV=$(VENV) $(BIN)/uv pip install --quiet --no-deps --no-build-isolation --editable .
	$(BIN)/npm ci --silent --no-audit --no-fund
	touch $(STAMP)

$(KERNEL): $(STAMP) functions/millrace/engine/native/build.py $(wildcard functions/millrace/engine/native/source/*)
	@$(BIN)/python -m millrace.engine.native.build
	@touch $(KERNEL)

demo: install ## Deploy to a local emulator, convert the examples, show the result; ARGS="--keep --data DIR"
	$(BIN)/millrace demo $(ARGS)

# The end-to-end suite waits for most of its time, so it runs at the same time as all that computes; what computes is
# nicer, so that what waited goes on at once. Its output is kept and shown when it ends, so that no lines are mixed.
test: install ## Run every check and every suite, end to end included
	@$(MAKE) --no-print-directory --jobs 2 suites-computing suites-end-to-end

# Infrastructure comes first, since it waits, too: for a download of 110 MB, once a clone.
suites-infra: check
	nice -n 5 $(BIN)/python -m pytest tests/infra -n 2 -q

suites: suites-infra
	@rm -rf $(KERNEL_FREE) && mkdir -p $(KERNEL_FREE)
	KERNEL_FREE=$(KERNEL_FREE) nice -n 5 $(BIN)/python -m pytest tests/simulation tests/hostile tests/unit tests/contract tests/integration tests/ui --forks 2 -q

# A test that never asks for the kernel has the same outcome without it: the first run notes those, and they are left out.
suites-computing: suites
	MILLRACE_NATIVE=0 KERNEL_FREE=$(KERNEL_FREE) HYPOTHESIS_PROFILE=quick nice -n 5 $(BIN)/python -m pytest tests/unit/engine -m "not slow or kernel" --forks 2 -q

suites-end-to-end: install
	@mkdir -p build
	@echo "The end-to-end suite runs beside the others; its output is in build/end-to-end.log and follows when it ends."
	@$(BIN)/python -m pytest tests/e2e -n 3 --no-loadscope-reorder -q --durations=10 > build/end-to-end.log 2>&1; \
	  code=$$?; cat build/end-to-end.log; exit $$code

unit: install ## Run the quick unit tests, with a fifth of the examples of each property test
	HYPOTHESIS_PROFILE=quick $(BIN)/python -m pytest tests/unit --forks 2 -q -m "not slow"

# It makes a test 2.4 times as dear, so it is a task of its own; what is slow repeats the lines of what is quick.
coverage: install ## Say which lines no quick test runs; fails below 90 %
	HYPOTHESIS_PROFILE=quick $(BIN)/python -m pytest tests/unit tests/contract tests/integration -m "not slow" -n 2 -q --cov --cov-report=term

properties: install ## Draw new examples for every property test, which takes an hour; ARGS=tests/unit/planning for these alone
	HYPOTHESIS_PROFILE=explore $(BIN)/python -m pytest $(or $(ARGS),tests/unit) -m hypothesis --forks 2 -q

hostile: install ## Read bombs and other files made to exhaust, each held to 600 MB
	$(BIN)/python -m pytest tests/hostile --forks 2 -q

fuzz: install ## Feed every reader mutated files, SECONDS=60 in all; finds are kept in build/fuzz
	PYTHONPATH=functions:. $(BIN)/python -m tests.fuzz.run --seconds $(or $(SECONDS),60) $(ARGS)

fuzz-native: install ## Feed the native kernel's functions under Clang's sanitizers, SECONDS=60 in all
	PYTHONPATH=functions:. $(BIN)/python -m tests.fuzz.native.run --seconds $(or $(SECONDS),60) $(ARGS)

simulate: install ## Run seeded schedules of the delivery protocol; N=100000 of them, FIRST=the first seed
	SCHEDULES=$(or $(N),10000) FIRST=$(or $(FIRST),0) $(BIN)/python -m pytest tests/simulation/test_schedules.py --forks 2 -q

fire: install ## Kill workers, shuffle events and fail calls on the emulator while N=2000 objects are converted
	FIRE_OBJECTS=$(or $(N),2000) $(BIN)/python -m pytest tests/e2e/test_under_fire.py -q -s

big-runs: install ## Convert 64 MB files in parts of 4 MB on the emulator, to all targets, and a table of 3,000 files
	BIG_RUNS=1 $(BIN)/python -m pytest tests/e2e/test_big_runs.py tests/e2e/test_reconcile.py -q -s

mutants: install ## Put N=300 small faults into the rules (0: all), each must be noticed; ARGS="ledger --seed 2 --jobs 1"
	PYTHONPATH=functions:. $(BIN)/python -m tests.mutants.run --sample $(or $(N),300) $(ARGS)

check: install ## Lint, types, import contracts
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy --num-workers 2
	PYTHONPATH=functions:. $(BIN)/lint-imports

fix: install ## Apply what ruff can mend by itself
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

synth: install ## Write the CloudFormation templates to cdk.out; CONFIG=path of your configuration
	$(BIN)/npx --no-install cdk synth --quiet $(if $(CONFIG),--context config=$(CONFIG))

docs: install ## Write what is generated in docs: tables of fields, commands, errors, schemas of events
	PYTHONPATH=functions $(BIN)/python -m millrace.config.reference docs/configuration.md
	PYTHONPATH=functions $(BIN)/python -m millrace.cli.reference docs/commands.md
	PYTHONPATH=functions $(BIN)/python -m millrace.cli.errors.page docs/errors.md
	PYTHONPATH=functions $(BIN)/python -m millrace.notices.json_schemas docs/events

docs-site: install ## Build the documentation site into build/site; a broken link, or what is loaded from elsewhere, fails
	PYTHONPATH=functions:. $(BIN)/python -m docs.site.build

bench: install ## Measure Millrace beside DuckDB, Polars, pyarrow and pandas, about 10 minutes; ARGS=--docs writes docs/performance.md
	$(BIN)/python -m bench.compare --sizes 64 --rounds 3 $(ARGS)

bench-full: install ## The same with 256 MB and 1 GB, hours; then memory alone, a listing of a million keys, small objects
	$(BIN)/python -m bench.compare --sizes 256,1024 --rounds 5 $(ARGS)
	$(BIN)/python bench/memory.py 1024 csv parquet
	$(BIN)/python bench/listing.py 1000000
	PYTHONPATH=functions:. $(BIN)/python bench/small_objects.py

pictures: install ## Write the pictures of the page in docs/pictures anew; needs chromium
	PICTURES=1 $(BIN)/python -m pytest tests/ui -q -k accessible

lock: install ## Resolve requirements/ and package-lock.json anew from pyproject.toml and package.json
	$(BIN)/uv pip compile -q --universal --python-version 3.11 --generate-hashes --no-header --no-annotate --all-extras --group test --group docs --group bench pyproject.toml -o requirements/dev.txt
	$(BIN)/uv pip compile -q --python-version 3.13 --python-platform aarch64-manylinux_2_28 --generate-hashes --no-header --no-annotate --no-emit-package botocore --no-emit-package python-dateutil --no-emit-package six --no-emit-package urllib3 -c requirements/dev.txt requirements/function.in -o requirements/function.txt
	$(BIN)/uv pip compile -q --python-version 3.13 --python-platform aarch64-manylinux_2_28 --generate-hashes --no-header --no-annotate -c requirements/dev.txt requirements/formats.in -o requirements/formats.txt
	$(BIN)/uv pip compile -q --python-version 3.13 --python-platform aarch64-manylinux_2_28 --generate-hashes --no-header --no-annotate $(foreach package,$(ELSEWHERE),--no-emit-package $(package)) -c requirements/dev.txt requirements/iceberg.in -o requirements/iceberg.txt
	$(BIN)/npm install --package-lock-only --silent

# Each wheel is built from the source distribution, so that this is whole; the kernels come from Zig, for glibc 2.17.
dist: export SOURCE_DATE_EPOCH ?= $(shell git log -1 --format=%ct)
dist: install ## Build the source distribution and all wheels into dist/, and check them
	rm -rf dist
	$(BIN)/uv build --quiet --no-build-isolation --sdist --out-dir dist
	for kernel in none x86_64-linux-gnu aarch64-linux-gnu; do MILLRACE_KERNEL=$$kernel $(BIN)/uv build --quiet --no-build-isolation --wheel --out-dir dist dist/millrace-*.tar.gz || exit 1; done
	$(BIN)/twine check --strict dist/*.whl dist/*.tar.gz

release-files: dist ## Write all that a release has to dist/: packages, layers, SBOM, notes, checksums; TAG=v0.2.0
	$(BIN)/python -m infra.release_files dist $(if $(TAG),--tag $(TAG))

# What a range promises is tried at its lower end, too; pytest and what the tests alone need are those of the lock.
lowest: install ## Run the quick tests of the engine, the configuration and the commands with the oldest versions of pyproject.toml
	$(BIN)/uv venv --quiet --clear build/lowest
	$(BIN)/uv pip compile -q --python-version 3.11 --resolution lowest-direct --extra aws --extra formats --extra iceberg --extra ui --no-header --no-annotate pyproject.toml -o build/lowest.txt
	VIRTUAL_ENV=build/lowest $(BIN)/uv pip install -q --requirement build/lowest.txt --group test --group bench
	PYTHONPATH=functions:. HYPOTHESIS_PROFILE=quick build/lowest/bin/python -m pytest tests/unit/engine tests/unit/config tests/unit/cli tests/unit/aws -m "not slow" --forks 2 -q

clean: ## Remove what the tasks made
	rm -rf $(VENV) node_modules cdk.out build dist .coverage
