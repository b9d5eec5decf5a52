# Every target says what it does; "make help" lists them. Plain POSIX make: no GNU extensions.
.POSIX:
.SUFFIXES:

PYTHON = python3
REGISTRY =
TAG =
URL =
PY = .venv/bin/python
SOURCES = operator codegen harness tests e2e bench plugin release
OLDEST = 1.20
OLDEST_STORIES = e2e/stories/test_schedules.py e2e/stories/test_errors.py e2e/stories/test_references.py \
	e2e/stories/test_forbid.py e2e/stories/test_pausing.py e2e/stories/test_deletion.py e2e/stories/test_rights.py \
	e2e/stories/test_failover.py

.PHONY: help venv requirements image push check-cluster prepare cluster-up cluster-down cluster-status demo pictures test compat compat-unit \
	compat-e2e unit e2e bench bench-api bench-assign bench-cluster bench-drift bench-engines bench-outputs bench-enrichment bench-names bench-events bench-burst bench-writes bench-scale \
		bench-takeover plugin plugin-release release release-dry-run docs fuzz chaos generate verify lint workflows audit clean

help: ## Show this list
	@awk -F ':.*## ' '/^[a-z][a-z0-9-]*:.*## / { printf "  %-16s %s\n", $$1, $$2 }' Makefile

venv: ## Make or update .venv (instant when nothing changed)
	@$(PYTHON) requirements/venv.py

requirements: venv ## Resolve pyproject.toml into requirements/*.txt (UPGRADE=1: newest versions)
	@UPGRADE=$(UPGRADE) sh requirements/compile.sh

image: ## Build the operator's and the worker's image (Docker, or buildah as root on Debian)
	@$(PYTHON) -m harness.image build

push: ## Push both images: make image push REGISTRY=registry.example.com/team; prints the command that installs them
	@$(PYTHON) -m harness.image push "$(REGISTRY)"

check-cluster: ## Say which cluster this machine can run, or what is missing, before anything long begins
	@$(PYTHON) -m harness.cluster check

prepare: ## Build or fetch, once, what a cluster is made of (without Docker: Kubernetes itself, in 10 minutes)
	@$(PYTHON) -m harness.cluster prepare
	@$(PYTHON) -m harness.servers prepare
	@$(PYTHON) -m harness.browser prepare
	@$(PYTHON) -m harness.java prepare

cluster-up: ## Start a real cluster (CLUSTER=kind|debian, KUBERNETES=1.37) and print its kubeconfig
	@$(PYTHON) -m harness.cluster up

cluster-down: ## Stop the cluster and leave nothing behind
	@$(PYTHON) -m harness.cluster down

cluster-status: ## Say what runs, and which Kubernetes
	@$(PYTHON) -m harness.cluster status

demo: check-cluster venv ## Real cluster, real data, real clusterings; leaves the cluster up
	@$(PY) -m harness.demo

pictures: check-cluster venv ## README's pictures (docs/images), of the cluster that make demo left
	@$(PYTHON) -m harness.browser prepare
	@$(PY) -m harness.demo.pictures

test: check-cluster venv ## Everything on the newest Kubernetes that is available: lint, verify, unit, e2e, and the time each took
	@.ci/phases check-cluster lint workflows verify docs prepare unit e2e

compat: venv ## The oldest Kubernetes that is supported: what needs an API server, and a dozen stories
	@.ci/phases compat-unit compat-e2e

compat-unit: venv ## Of these, the tests that need an API server
	@KUBERNETES=$(OLDEST) $(PYTHON) -m harness.cluster prepare
	@echo "compat: pytest -m control_plane tests, on Kubernetes $(OLDEST)"
	@KUBERNETES=$(OLDEST) $(PY) -m pytest -q -n 2 --dist loadgroup -m control_plane tests

compat-e2e: venv ## Of these, the stories
	@KUBERNETES=$(OLDEST) $(PYTHON) -m harness.cluster prepare
	@$(PYTHON) -m harness.servers prepare
	@echo "compat: pytest a dozen stories, on Kubernetes $(OLDEST)"
	@KUBERNETES=$(OLDEST) $(PY) -m pytest -v --no-header $(OLDEST_STORIES)

unit: check-cluster venv prepare ## Tests that need no cluster of their own (SHUFFLE=seed: in a random order)
	@echo "unit: pytest tests"
	@.ci/tests tests -q -n 2 --dist loadgroup $${SHUFFLE:+--shuffle "$$SHUFFLE"}

e2e: check-cluster venv prepare ## Stories on a real cluster
	@echo "e2e: pytest e2e"
	@.ci/tests e2e -v --no-header

chaos: check-cluster venv prepare ## Faults in full: a thousand SIGKILLs, outages of 30 s, thousands of hostile objects, half an hour of churn (2 h)
	@echo "chaos: CHAOS=full pytest e2e/chaos"
	@CHAOS=full $(PY) -m pytest -v -s --no-header e2e/chaos

fuzz: venv ## A million random schedules against Debian's cron, 10,000 vector sets against scikit-learn, 10,000 Parquet files and filters
	@echo "fuzz: FUZZ=1000000 pytest -m fuzz tests/core"
	@FUZZ=1000000 nice $(PY) -m pytest -q -n 2 -m fuzz tests/core
	@echo "fuzz: VECTOR_SETS=10000 pytest tests/clusterworker/clustering/test_vector_sets.py"
	@VECTOR_SETS=10000 nice $(PY) -m pytest -q -n 2 tests/clusterworker/clustering/test_vector_sets.py
	@echo "fuzz: FILES=10000 pytest tests/clusterworker/data/test_generated_files.py test_generated_filters.py"
	@FILES=10000 nice $(PY) -m pytest -q -s -n 0 tests/clusterworker/data/test_generated_files.py tests/clusterworker/data/test_generated_filters.py

bench: bench-api bench-assign bench-cluster bench-drift bench-engines bench-outputs bench-enrichment bench-names bench-events bench-burst bench-writes bench-scale bench-takeover ## Measure everything; CHECK=1 fails when a goal is missed

bench-api: venv prepare ## The HTTP API beside a bare FastAPI handler, a bare client and kubectl get --raw
	@$(PY) -m bench.api

bench-assign: venv ## Documents assigned to clusters, beside clustering them
	@$(PY) -m bench.assign

bench-cluster: venv ## Clusterings beside plain scikit-learn
	@$(PY) -m bench.cluster

bench-drift: venv ## Drift of a million vectors, beside reading them
	@$(PY) -m bench.drift

bench-enrichment: venv ## A million documents and 1,000 nodes of a taxonomy, beside a bare search of faiss
	@$(PY) -m bench.enrichment

bench-engines: venv ## A pass over five million documents by Spark's executors, beside a local run's
	@$(PYTHON) -m harness.java prepare
	@$(PY) -m bench.engines

bench-outputs: venv ## Clusters of a million documents into PostgreSQL, beside a manual COPY and UPDATE
	@$(PY) -m bench.outputs

bench-names: venv ## Names of clusters by several weights of their terms
	@$(PY) -m bench.names

bench-events: venv prepare ## Events accepted and stored, beside an empty handler
	@$(PY) -m bench.events

bench-burst: venv prepare ## A thousand triggers due in one second, beside CronJobs and a bare client
	@$(PY) -m bench.burst

bench-writes: venv prepare ## What a run costs the API server, beside a CronJob's
	@$(PY) -m bench.writes

bench-scale: venv prepare ## Start, idling and lateness with thousands of triggers
	@$(PY) -m bench.scale

bench-takeover: venv prepare ## The leader killed, and ended in order, under a steady stream
	@$(PY) -m bench.takeover

generate: venv ## Write crds/, the chart's copies, schemas/ and the generated pages of docs/reference
	@echo "generate: python -m codegen"
	@$(PY) -m codegen

docs: venv ## Build the site in dist/site; fails at a warning, such as a link that leads nowhere
	@echo "docs: mkdocs build --strict"
	@NO_MKDOCS_2_WARNING=1 .venv/bin/uv run --quiet --isolated --no-project --python $(PY) \
		--with-requirements requirements/docs.txt mkdocs --quiet build --strict
	@echo "docs: dist/site/index.html"

verify: venv ## Fail when the generated files are not what the models say
	@echo "verify: python -m codegen --check"
	@$(PY) -m codegen --check

lint: venv ## Run ruff, mypy --strict, the import walls and the check of prose
	@echo "lint: ruff check"
	@$(PY) -m ruff check --quiet .
	@echo "lint: ruff format"
	@$(PY) -m ruff format --quiet --check .
	@echo "lint: mypy"
	@$(PY) -m mypy $$(for dir in $(SOURCES); do test -d $$dir && echo $$dir; done)
	@echo "lint: import walls"
	@.venv/bin/lint-imports
	@echo "lint: prose"
	@$(PY) -m harness.prose

workflows: ## Check .github/workflows with actionlint, where Go is installed
	@if command -v go >/dev/null; then \
		echo "workflows: actionlint" && go run github.com/rhysd/actionlint/cmd/actionlint@v1.7.12; \
	else echo "workflows: not checked, because Go is not installed"; fi

audit: venv ## Known vulnerabilities of what the images are made of; asks PyPI's advisory database
	@echo "audit: pip-audit of requirements/operator.txt and requirements/spark.txt, which has all of worker.txt"
	@.venv/bin/uv tool run pip-audit==2.10.1 --strict --progress-spinner off --require-hashes --disable-pip \
		--requirement requirements/operator.txt --requirement requirements/spark.txt

plugin: venv ## Build the command as one file for this machine: dist/kubectl-clustertrigger-OS-ARCHITECTURE
	@$(PY) -m plugin

plugin-release: venv ## Build it for all platforms, with krew's archives and manifest (PLUGIN_URL=where they will be)
	@$(PY) -m plugin --all --url "$(PLUGIN_URL)"

release: venv ## Make all files of a release in dist/release: TAG=v0.1.0 REGISTRY=where the images are URL=where the files will be
	@$(PY) -m release --tag "$(TAG)" --registry "$(REGISTRY)" --url "$(URL)"

release-dry-run: venv ## Make them here, of a version that has no date yet, and with Docker the images; uploads nothing
	@$(PY) -m release --dry-run

clean: ## Remove caches and build output, not .venv
	@rm -rf .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache dist build
