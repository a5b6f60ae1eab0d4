# Everything a developer or CI does has one name here. `make help` lists them.
VENV := .venv
BIN := $(VENV)/bin
PYTHON ?= python3
CARGO ?= cargo
PYTEST := $(BIN)/python -m pytest

.DEFAULT_GOAL := help
.PHONY: help preflight install build build-load fmt lint types test test-py test-rust test-fast test-fuzz fuzz docs demo serve bench \
    bench-full soak lock clean

help: ## list the targets
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | awk -F ':.*## ' '{printf "  %-14s %s\n", $$1, $$2}'

preflight:
	@PYTHON=$(PYTHON) tools/preflight build

$(VENV)/.installed: requirements/dev.lock | preflight
	@$(BIN)/python -m pip --version >/dev/null 2>&1 || $(PYTHON) -m venv --clear $(VENV)
	@echo "Installing $$(grep -c == $<) Python packages into $(VENV), once; takes a minute or two ..."
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r $<
	@touch $@

install: preflight $(VENV)/.installed ## set up .venv with the pinned packages and build everything
	@$(MAKE) --no-print-directory build

# Cargo shows how far it is, pip would not. Its own build then finds everything done; it needs maturin on the PATH.
build: ## build the media engine and install the package into .venv (editable)
	@test -x target/release/pagecalls-media || echo "Building the media engine; the first time takes one to three minutes ..."
	@$(CARGO) build --release --locked --package pagecalls-media --bin pagecalls-media
	@PATH="$(CURDIR)/$(BIN):$$PATH" $(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation --editable .

build-load: preflight ## build the load generator, which tests and benches use; it is not in the wheel
	@$(CARGO) build --release --locked --package pagecalls-load --bin pagecalls-load

fmt: $(VENV)/.installed ## format Python and Rust
	$(BIN)/ruff format src tests bench examples
	$(BIN)/ruff check --fix --quiet src tests bench examples
	$(CARGO) fmt --all

lint: $(VENV)/.installed ## ruff, rustfmt and clippy, all strict; what is in deploy/
	$(BIN)/ruff format --check src tests bench examples
	$(BIN)/ruff check src tests bench examples
	$(CARGO) fmt --all --check
	$(CARGO) clippy --release --all-targets --locked --quiet -- -D warnings
	@BIN=$(BIN) tools/lint-deploy

types: $(VENV)/.installed ## mypy --strict
	$(BIN)/mypy

demo: install ## a real call in both directions, heard on both sides
	@$(BIN)/pagecalls demo

serve: install ## the server on loopback, with an app, a Page and a consumer ready to use
	@$(BIN)/pagecalls serve

test: ## everything: set-up, lint, types, Rust and Python tests, real browsers
	@PYTHON=$(PYTHON) tools/preflight test
	@$(MAKE) --no-print-directory install lint types test-rust test-py test-fuzz

test-rust: ## the engine's tests
	$(CARGO) test --release --locked --quiet
	$(CARGO) test --locked --quiet --package pagecalls-media --test process a_panic_in_one_call

test-py: install build-load ## the Python tests, foreign peers included
	$(PYTEST) -q

test-fast: install ## the Python tests without sockets, browsers and disks
	$(PYTEST) -q tests/unit tests/property tests/test_architecture.py

test-fuzz: install ## every parser of foreign bytes against 30 s of damaged input
	$(BIN)/python -m tests.fuzz --seconds 30 --seed 1

SECONDS ?= 60
fuzz: install ## the same for longer: SECONDS=3600 for an hour each
	$(BIN)/python -m tests.fuzz --seconds $(SECONDS)

ROUNDS ?= 200
KILLS ?= 200
CALLS ?= 100000
soak: install build-load ## kill servers and engines during calls, for 90 minutes: ROUNDS=200 of each, KILLS=200 under CALLS=100000; SEED=7 plays the same again
	@$(BIN)/python -m tests.resilience --rounds $(ROUNDS) --kills $(KILLS) --calls $(CALLS) $(if $(SEED),--seed $(SEED))

docs: install ## generate the generated pages again
	$(BIN)/python -m pagecalls.call.diagram > docs/states.md
	$(BIN)/python -m pagecalls.graph.errors_page docs/errors.md
	$(BIN)/python -m pagecalls.config.pages docs/configuration.md
	$(BIN)/python -m tests.coverage docs/coverage.md

bench: install build-load ## print what an accept, a packet, a call and a start cost, in 5 minutes; what it means: docs/bench.md
	@$(BIN)/python -m bench

bench-full: install build-load ## the same with every ceiling and 90 s at rest, three times over; takes an hour
	@$(BIN)/python -m bench --full --long --repeat 3

lock: ## pin the dependencies again (needs uv)
	uv pip compile --quiet --generate-hashes --no-emit-index-url --no-header --no-annotate --python-version 3.11 --upgrade \
	    pyproject.toml requirements/dev.in -o requirements/dev.lock
	uv pip compile --quiet --generate-hashes --no-emit-index-url --no-header --no-annotate --python-version 3.11 --upgrade \
	    pyproject.toml --constraints requirements/dev.lock -o requirements/run.lock
	$(CARGO) update

clean: ## remove what was built
	rm -rf $(VENV) target .pytest_cache .mypy_cache .ruff_cache
