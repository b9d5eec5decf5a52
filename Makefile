# Every target says what it does; "make help" lists them. Plain POSIX make: no GNU extensions.
.POSIX:
.SUFFIXES:

PYTHON = python3
REGISTRY =
TAG =
URL =
PY = .venv/bin/python
RANDOM_EXAMPLES = $(PY) -m pytest -q --hypothesis-profile=random
SOURCES = operator codegen harness tests e2e bench plugin release
OLDEST = 1.20
OLDEST_STORIES = e2e/stories/test_schedules.py e2e/stories/test_errors.py e2e/stories/test_references.py \
	e2e/stories/test_forbid.py e2e/stories/test_pausing.py e2e/stories/test_deletion.py e2e/stories/test_rights.py \
	e2e/stories/test_failover.py

.PHONY: help venv requirements image push check-cluster prepare cluster-up cluster-down cluster-status demo demo-spark pictures test compat compat-unit \
	compat-e2e unit e2e bench bench-api bench-assign bench-cluster bench-drift bench-engines bench-training bench-outputs bench-enrichment bench-names bench-events bench-burst bench-writes bench-scale \
		bench-takeover plugin plugin-release release release-dry-run docs fuzz chaos generate verify lint workflows audit clean

help: ## Show this list
	@awk -F ':.*## ' '/^[a-z][a-z0-9-]*:.*## / { printf "  %-16s %s\n", $$1, $$2 }' Makefile

venv: ## Make or update .venv (instant when nothing changed)
	@$(PYTHON) requirements/venv.py

requirements: venv ## Resolve pyproject.toml into requirements/*.txt (UPGRADE=1: newest versions)
	@UPGRADE=$(UPGRADE) sh requirements/compile.sh

image: ## Build the operator's and the worker's image (Docker, or buildah as root on Debian)
	@$(PYTHON) -m harness.image build

push: ## Push both images, and print the command that installs them: make image push REGISTRY=registry.example.com/team
	@$(PYTHON) -m harness.image push "$(REGISTRY)"

check-cluster: ## Show which cluster this machine can run, or what it lacks
	@$(PYTHON) -m harness.cluster check

prepare: ## Build or fetch the programs of a cluster, once (without Docker: Kubernetes itself, in 10 minutes)
	@$(PYTHON) -m harness.cluster prepare
	@$(PYTHON) -m harness.servers prepare
	@$(PYTHON) -m harness.browser prepare
	@$(PYTHON) -m harness.java prepare
	@$(PYTHON) -m harness.prometheus prepare

cluster-up: ## Start a real cluster (CLUSTER=kind|debian, KUBERNETES=1.37) and print its kubeconfig
	@$(PYTHON) -m harness.cluster up

cluster-down: ## Stop the cluster and remove all of its files
	@$(PYTHON) -m harness.cluster down

cluster-status: ## Show the parts of the cluster, and the version of Kubernetes
	@$(PYTHON) -m harness.cluster status

demo: check-cluster venv ## Show triggers and clusterings of real data on a real cluster, which keeps running
	@$(PY) -m harness.demo

demo-spark: check-cluster venv ## Run examples/beyond-one-machine.yaml by two executors of Spark, in the cluster that make demo started
	@$(PY) -m harness.demo.spark

pictures: check-cluster venv ## Take README's pictures (docs/images) from the cluster that make demo started
	@$(PYTHON) -m harness.browser prepare
	@$(PY) -m harness.demo.pictures

test: check-cluster venv ## Run lint, verify, docs, unit and e2e on the newest available Kubernetes, and print the time of each
	@.ci/phases check-cluster lint workflows verify docs prepare unit e2e

compat: venv ## Run tests that need an API server, and a dozen stories, on the oldest supported Kubernetes
	@.ci/phases compat-unit compat-e2e

compat-unit: venv ## Run the first part of compat
	@KUBERNETES=$(OLDEST) $(PYTHON) -m harness.cluster prepare
	@echo "compat: pytest -m control_plane tests, on Kubernetes $(OLDEST)"
	@KUBERNETES=$(OLDEST) $(PY) -m pytest -q -n 2 --dist loadgroup -m control_plane tests

compat-e2e: venv ## Run the second part of compat, the stories
	@KUBERNETES=$(OLDEST) $(PYTHON) -m harness.cluster prepare
	@$(PYTHON) -m harness.servers prepare
	@echo "compat: pytest a dozen stories, on Kubernetes $(OLDEST)"
	@KUBERNETES=$(OLDEST) $(PY) -m pytest -v --no-header $(OLDEST_STORIES)

unit: check-cluster venv prepare ## Run the tests that need no whole cluster (SHUFFLE=seed: in a random order)
	@echo "unit: pytest tests$${SHUFFLE:+, shuffled by $$SHUFFLE}"
	@.ci/tests tests -q -n 2 --dist loadgroup $${SHUFFLE:+--shuffle "$$SHUFFLE"}

e2e: check-cluster venv prepare ## Run the stories on a real cluster
	@echo "e2e: pytest e2e"
	@.ci/tests e2e -v --no-header

chaos: check-cluster venv prepare ## Run all faults: a thousand SIGKILLs, outages of 30 s, thousands of invalid objects, half an hour of churn (2 h)
	@echo "chaos: CHAOS=full pytest e2e/chaos"
	@CHAOS=full $(PY) -m pytest -v -s --no-header e2e/chaos

fuzz: venv prepare ## Compare a million schedules with Debian's cron, 10,000 vector sets with scikit-learn, test 10,000 Parquet files, and draw other examples of all properties
	@echo "fuzz: FUZZ=1000000 pytest -m fuzz tests/core"
	@FUZZ=1000000 nice $(PY) -m pytest -q -n 2 -m fuzz tests/core
	@echo "fuzz: VECTOR_SETS=10000 pytest tests/clusterworker/clustering/test_vector_sets.py"
	@VECTOR_SETS=10000 nice $(RANDOM_EXAMPLES) -n 2 tests/clusterworker/clustering/test_vector_sets.py
	@echo "fuzz: FILES=10000 pytest tests/clusterworker/data/test_generated_files.py test_generated_filters.py"
	@FILES=10000 nice $(RANDOM_EXAMPLES) -s -n 0 tests/clusterworker/data/test_generated_files.py tests/clusterworker/data/test_generated_filters.py
	@echo "fuzz: CRD_SERVER_EXAMPLES=2000 pytest -m hypothesis tests"
	@CRD_SERVER_EXAMPLES=2000 nice $(RANDOM_EXAMPLES) -n 2 -m hypothesis tests

bench: bench-api bench-assign bench-cluster bench-drift bench-engines bench-training bench-outputs bench-enrichment bench-names bench-events bench-burst bench-writes bench-scale bench-takeover ## Run all benchmarks; with CHECK=1, fail if a goal is missed

bench-api: venv prepare ## Compare the HTTP API with a bare FastAPI handler, a bare client and kubectl get --raw
	@$(PY) -m bench.api

bench-assign: venv ## Compare assigning documents to clusters with clustering them
	@$(PY) -m bench.assign

bench-cluster: venv ## Compare clusterings with plain scikit-learn
	@$(PY) -m bench.cluster

bench-drift: venv ## Compare a drift check of a million vectors with reading them
	@$(PY) -m bench.drift

bench-enrichment: venv ## Compare an enrichment of a million documents with a bare search of faiss
	@$(PY) -m bench.enrichment

bench-engines: venv ## Compare a pass of Spark's executors over five million documents with a local one
	@$(PYTHON) -m harness.java prepare
	@$(PY) -m bench.engines

bench-training: venv ## Compare k-means on a sample with MLlib's k-means||, in two threads of Spark
	@$(PYTHON) -m harness.java prepare
	@$(PY) -m bench.training

bench-outputs: venv ## Compare an output of a million documents into PostgreSQL with a manual COPY and UPDATE
	@$(PY) -m bench.outputs

bench-names: venv ## Compare names of clusters with several weights of their terms
	@$(PY) -m bench.names

bench-events: venv prepare ## Compare accepting and storing events with an empty handler
	@$(PY) -m bench.events

bench-burst: venv prepare ## Compare a thousand triggers that are due in one second with CronJobs and a bare client
	@$(PY) -m bench.burst

bench-writes: venv prepare ## Compare the API writes of a run with those of a CronJob
	@$(PY) -m bench.writes

bench-scale: venv prepare ## Measure start, idling and lateness with thousands of triggers
	@$(PY) -m bench.scale

bench-takeover: venv prepare ## Measure a change of leaders while triggers are due every second
	@$(PY) -m bench.takeover

generate: venv ## Write crds/, the chart's copies, schemas/ and the generated pages of docs/reference
	@echo "generate: python -m codegen"
	@$(PY) -m codegen

docs: venv ## Build the site in dist/site; fail on a warning, such as a broken link
	@echo "docs: mkdocs build --strict"
	@NO_MKDOCS_2_WARNING=1 .venv/bin/uv run --quiet --isolated --no-project --python $(PY) \
		--with-requirements requirements/docs.txt mkdocs --quiet build --strict
	@echo "docs: dist/site/index.html"

verify: venv ## Fail if generated files differ from the models
	@echo "verify: python -m codegen --check"
	@$(PY) -m codegen --check

lint: venv ## Run ruff, mypy --strict, import-linter and the prose check
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

workflows: ## Check .github/workflows with actionlint, if Go is installed
	@if command -v go >/dev/null; then \
		echo "workflows: actionlint" && go run github.com/rhysd/actionlint/cmd/actionlint@v1.7.12; \
	else echo "workflows: not checked, because Go is not installed"; fi

audit: venv ## List known vulnerabilities of the images' packages, from PyPI's advisory database
	@echo "audit: pip-audit of requirements/operator.txt and requirements/spark.txt, which has all of worker.txt"
	@.venv/bin/uv tool run pip-audit==2.10.1 --strict --progress-spinner off --require-hashes --disable-pip \
		--requirement requirements/operator.txt --requirement requirements/spark.txt

plugin: venv ## Build the command as one file for this machine: dist/kubectl-clustertrigger-OS-ARCHITECTURE
	@$(PY) -m plugin

plugin-release: venv ## Build it for all platforms, with krew's archives and manifest (PLUGIN_URL=address of the archives)
	@$(PY) -m plugin --all --url "$(PLUGIN_URL)"

release: venv ## Make all files of a release in dist/release: TAG=v0.1.0 REGISTRY=registry of the images URL=address of the files
	@$(PY) -m release --tag "$(TAG)" --registry "$(REGISTRY)" --url "$(URL)"

release-dry-run: venv ## Make the files of a release, and with Docker the images, without uploading them
	@$(PY) -m release --dry-run

clean: ## Remove caches and build output, not .venv
	@rm -rf .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache dist build
