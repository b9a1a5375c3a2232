# Every command of the project. `make help` explains them.
#
# Nothing is installed on the machine: what is built or downloaded goes into one cache folder,
# FLINK_OPERATOR_CACHE, which may be deleted at any time.

SHELL := /bin/bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help
MAKEFLAGS += --no-print-directory

export FLINK_OPERATOR_CACHE ?= $(or $(XDG_CACHE_HOME),$(HOME)/.cache)/flink-operator
export CARGO_TARGET_DIR ?= $(FLINK_OPERATOR_CACHE)/target
export PYTHONDONTWRITEBYTECODE = 1
PYTHON ?= python3

# The whole workspace decides the features of shared dependencies, so that nothing is compiled twice.
build = cargo build --quiet --locked --workspace --bin $(1)

.PHONY: help
help: ## Show this text
	@$(PYTHON) scripts/help.py $(MAKEFILE_LIST)

.PHONY: demo
demo: ## Show a job's life on a real Flink; STEP=upgrade: an edit that keeps its state; ONCE=1 ends by itself
	@scripts/prerequisites.sh demo
	@$(PYTHON) scripts/demo.py

.PHONY: test
test: ## Run the gate: every test layer, a table of results at the end; ONLY="unit golden" for some steps
	@scripts/prerequisites.sh test
	@$(PYTHON) scripts/test.py --scope gate --only "$(ONLY)"

.PHONY: test-full
test-full: ## Run everything at full length; resumes at the step that failed (FRESH=1 begins again)
	@scripts/prerequisites.sh test
	@$(PYTHON) scripts/test.py --scope full --only "$(ONLY)" $(if $(FRESH),--fresh)

.PHONY: lint
lint: ## Check form: rustfmt, clippy, docs, licences, generated files, file lengths, dependencies, chart
	@scripts/prerequisites.sh lint
	@$(PYTHON) scripts/lint.py --only "$(ONLY)"

.PHONY: generate
generate: ## Write all generated files anew (CRDs, RBAC, the page about options)
	@scripts/prerequisites.sh build
	@$(PYTHON) scripts/generate.py

.PHONY: bench
bench: export FLINK_OPERATOR_BENCH_RESOURCES = $(or $(N),1000)
bench: ## Measure with N=1000 resources on the real API server, beside the targets
	@scripts/prerequisites.sh bench
	@$(call build,flink-sandbox)
	@cargo test --release --locked -p flink-operator --test load -- --nocapture --test-threads=1

.PHONY: sandbox-up
sandbox-up: ## Start Kubernetes with Flink on this machine, without containers; prints the KUBECONFIG
	@scripts/prerequisites.sh demo
	@$(call build,flink-sandbox) && $(CARGO_TARGET_DIR)/debug/flink-sandbox up

.PHONY: sandbox-down
sandbox-down: ## Stop the sandbox and remove all that it left
	@$(call build,flink-sandbox) && $(CARGO_TARGET_DIR)/debug/flink-sandbox down
