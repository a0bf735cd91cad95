# `make demo` and `make test` are the whole set-up on a fresh machine: each makes .venv from the lock if it is missing or
# out of date, with a uv of its own if the machine has none. `make help` lists the rest.

SHELL := /bin/bash
.DEFAULT_GOAL := help

VENV := .venv
BIN := $(VENV)/bin

# The demonstration: alter it here, or as in `make demo DEMO_STEPS=5000`.
DEMO_AGENT ?= dqn
DEMO_ENVIRONMENT ?= bsuite:catch/0
DEMO_STEPS ?= 30000
DEMO_RUN ?= runs/demo
DEMO_TRAIN = $(BIN)/tfacme train $(DEMO_AGENT) --env $(DEMO_ENVIRONMENT) --steps $(DEMO_STEPS) --workdir $(DEMO_RUN)

# Arguments for pytest, as in `make test TESTS=tests/replay`; how many processes share the tests: one more than two cores,
# since commands that are tested start processes of their own, for which theirs wait (each has graphs of some gigabytes).
TESTS ?= tests
JOBS ?= 3
# Shares the tests evenly, mostly whole files; of the ways to share, one that goes on after a test that ended its process.
# They start hundreds of processes: where Python is told to write no bytecode (many containers do), each would compile what
# it imports of this repository anew.
PYTEST = PYTHONDONTWRITEBYTECODE= $(BIN)/python -m pytest -n $(JOBS) --dist worksteal

HOSTS_TEST = $(BIN)/python -m pytest -v -rs tests/hosts

# Where Debian's packages put the rules that a Bazel with a network would download.
BAZEL ?= bazel
BAZEL_RULES ?= /usr/share/bazel
BAZEL_TESTS ?= //tests/contract/... //tests/replay/... //tests/losses/... //tests/programs/...

# A change of these makes the environment out of date.
ENVIRONMENT := pyproject.toml setup.py tools/set_up.sh
# An environment for development holds what a run needs too: `make demo` keeps it up to date instead of taking it apart.
RUN_ENVIRONMENT := $(if $(wildcard $(VENV)/.dev),$(VENV)/.dev,$(VENV)/.environments)

.PHONY: help
help:
	@echo 'make demo         train an agent on $(DEMO_ENVIRONMENT) and look at it: a curve, an animation, a score'
	@echo 'make test         lint, types, import directions and the fast tests'
	@echo 'make test-all     the same with the slow tests, and hosts-test'
	@echo 'make hosts-test   a Ray cluster of three hosts, made as network namespaces of this machine (as root)'
	@echo 'make lint         lint, types and import directions alone'
	@echo 'make format       format the Python files'
	@echo 'make bazel-test   the tests of the contract, replay, losses and programs under Bazel'
	@echo 'make bench        tfacme beside its peers, on the same work (BENCH="--works dqn-catch --repeats 2")'
	@echo 'make bench-quick  this tree beside another commit (AGAINST=main), in less than three minutes'
	@echo 'make build-files  write the BUILD files anew from the imports'
	@echo 'make reference    write docs/reference.md anew from the docstrings'
	@echo 'make lock         resolve requirements/ anew (UPGRADE=1: to the newest versions)'
	@echo 'make clean        remove what the commands above made, .venv included; runs/ stays'

$(VENV)/.environments: requirements/environments.txt $(ENVIRONMENT)
	@tools/set_up.sh environments

$(VENV)/.dev: requirements/dev.txt $(ENVIRONMENT)
	@tools/set_up.sh dev

$(VENV)-ray/.ray: requirements/ray.txt requirements/environments.txt $(ENVIRONMENT)
	@tools/set_up.sh ray

.PHONY: demo
demo: $(RUN_ENVIRONMENT)
	@rm -rf $(DEMO_RUN)
	$(DEMO_TRAIN)
	$(BIN)/tfacme plot $(DEMO_RUN) --out $(DEMO_RUN)/learning_curve.png
	$(BIN)/tfacme watch $(DEMO_RUN) --out $(DEMO_RUN)/episode.gif
	$(BIN)/tfacme evaluate $(DEMO_RUN) --episodes 20
	@echo 'The run is in $(DEMO_RUN): learning_curve.png, episode.gif, policy/ and the logs.'

# The tests run although lint has something to say, so that one call tells all; pytest's closing line is the last.
.PHONY: test
test: $(VENV)/.dev
	@failed=0; tools/lint.sh || failed=1; $(PYTEST) -m 'not slow' $(TESTS) || failed=1; exit $$failed

# The hosts come last, and by themselves: three of them share this machine.
.PHONY: test-all
test-all: $(VENV)/.dev $(VENV)-ray/.ray
	@failed=0; tools/lint.sh || failed=1; $(PYTEST) --ignore=tests/hosts $(TESTS) || failed=1; \
	$(if $(filter tests,$(TESTS)),$(HOSTS_TEST) || failed=1;) exit $$failed

.PHONY: hosts-test
hosts-test: $(VENV)/.dev $(VENV)-ray/.ray
	@$(HOSTS_TEST)

.PHONY: lint
lint: $(VENV)/.dev
	@tools/lint.sh

.PHONY: format
format: $(VENV)/.dev
	@$(BIN)/ruff check --quiet --fix . || true
	@$(BIN)/ruff format .

# The largest set first; each of the others takes the versions of those before it, so that every two of them fit.
# --no-emit-index-url and the command in the header: a lock names packages and hashes, and no machine.
.PHONY: lock
lock:
	@uv=$$(tools/set_up.sh uv) || exit 1; \
	constraints=(); \
	for extra in dev environments core serving trackers data ray docs cuda; do \
	  file=requirements/$$extra.txt; \
	  echo "Resolving $$file"; \
	  extras=(); [[ $$extra = core ]] || extras=(--extra $$extra); \
	  "$$uv" pip compile pyproject.toml --quiet "$${extras[@]}" "$${constraints[@]}" $(if $(UPGRADE),--upgrade) \
	    --python-version 3.10 --python-platform x86_64-manylinux_2_28 \
	    --generate-hashes --no-emit-index-url --custom-compile-command 'make lock' --output-file $$file > /dev/null || exit 1; \
	  constraints+=(--constraints $$file); \
	done

# Needs a Python 3.11 beside the 3.10: the peers have environments of their own, in .peers/.
.PHONY: bench
bench: $(VENV)/.dev
	$(BIN)/python -m benchmarks.compare $(BENCH)

AGAINST ?= HEAD
.PHONY: bench-quick
bench-quick: $(VENV)/.dev
	$(BIN)/python -m benchmarks.quick --against $(AGAINST)

.PHONY: build-files
build-files:
	@python=$(BIN)/python; [[ -x $$python ]] || python=python3; $$python tools/build_files.py

.PHONY: reference
reference:
	@python=$(BIN)/python; [[ -x $$python ]] || python=python3; $$python tools/reference.py

.PHONY: bazel-present
bazel-present:
	@command -v $(BAZEL) > /dev/null && \
	  [[ -d $(BAZEL_RULES)/rules/java && -d $(BAZEL_RULES)/rules/proto && -d $(BAZEL_RULES)/tools/skylib ]] || \
	  { echo 'Bazel or its rules are missing: on Debian, `apt-get install bazel-bootstrap bazel-skylib bazel-rules-java bazel-rules-proto` and run the same command again.' >&2; exit 1; }

.PHONY: bazel-test
bazel-test: bazel-present $(VENV)/.dev
	$(BAZEL) --max_idle_secs=60 test --repo_env=TFACME_PYTHON=$(CURDIR)/$(BIN)/python \
	  --override_repository=bazel_skylib=$(BAZEL_RULES)/tools/skylib \
	  --override_repository=rules_java=$(BAZEL_RULES)/rules/java \
	  --override_repository=rules_proto=$(BAZEL_RULES)/rules/proto \
	  $(BAZEL_TESTS)

.PHONY: clean
clean:
	rm -rf $(VENV) $(VENV)-ray .peers .uv build dist *.egg-info .pytest_cache .hypothesis .ruff_cache .import_linter_cache
	find . -name __pycache__ -type d -prune -exec rm -rf {} +
