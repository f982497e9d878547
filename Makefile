# Every task of the project; `make` alone lists them. Environments and stubs are made when they are
# first needed, and anew when what they are made from has changed: nothing has to be done before.

PYTHON ?= python3
PROCESSES ?= 1
PORT ?= 0
PHOTO ?= tests/photos/two_people.jpg
TESTS ?= tests
WORKERS ?= 2

SERVE := .venv/made
DEV := .venv-dev/made
TRAINING := .venv-training/made
STUBS := client/trilens/v1/analysis_pb2.py
DEVICES := local/cluster/v1beta1/device_plugin_pb2.py
SCALER := gateway/externalscaler/externalscaler_pb2.py
GOOGLE := build/googleapis/google/rpc/status.proto
# Images that were built before are taken as they are if asked for; other clusters have their own.
E2E := $(DEV) $(STUBS) $(SCALER) $(DEVICES) $(if $(E2E_IMAGES)$(E2E_CONTEXT),,images)
PYTEST_E2E := TRILENS_E2E=1 .venv-dev/bin/python -m pytest -n $(WORKERS) --dist loadfile --no-loadscope-reorder
PROTOC := .venv-protos/bin/python -m grpc_tools.protoc -I protos -I build/googleapis
COMPILE := build/uv/bin/uv pip compile --quiet --universal --python-version 3.11 \
	--generate-hashes --no-emit-index-url --custom-compile-command 'make lock'

# Told not to keep bytecode, Python compiles every library at every start: more than a second.
run test unit test-training bench e2e e2e-core e2e-weights: export PYTHONDONTWRITEBYTECODE =
# ONNX Runtime reports to its maker otherwise; our own code says so, but some here import it first.
export ORT_DISABLE_TELEMETRY := 1

.DEFAULT_GOAL := help
.DELETE_ON_ERROR:
.SECONDARY:
.PHONY: help run test unit test-training check format lint types contract breaking protos lock bench chart quickstart helms \
	cluster cluster-needs cluster-down images e2e e2e-core e2e-weights parity evaluate clean train-attributes train-captions train-objects

help:
	@awk -F ':.*## ' '/^[a-z0-9-]+:.*## / {printf "  make %-18s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

run: $(SERVE) $(STUBS) $(SCALER) ## start everything and answer a photo (PROCESSES=1|4 PORT=50051 PHOTO=me.jpg)
	@.venv/bin/python -m local --processes $(PROCESSES) --port $(PORT) --photo '$(PHOTO)'

test: $(DEV) $(STUBS) $(SCALER) $(DEVICES) ## run the tests on every core (TESTS=tests/gateway: some of them)
	@.venv-dev/bin/python -m pytest -n auto $(TESTS)

unit: $(DEV) $(STUBS) $(SCALER) $(DEVICES) ## run the tests that start no processes: under a minute
	@.venv-dev/bin/python -m pytest -n auto -m 'not stack' $(TESTS)

test-training: $(TRAINING) $(STUBS) $(SCALER) $(DEVICES) ## run the tests that need TensorFlow and torch, too; installs 7 GB
	@nice .venv-training/bin/python -m pytest $(TESTS)

check: lint types contract helms test ## everything that has to pass: format, lint, types, contract, tests

format: $(DEV) ## format the code, and repair what lint can repair
	@.venv-dev/bin/ruff check --fix-only .
	@.venv-dev/bin/ruff format .

lint: $(DEV) ## check format and style
	@.venv-dev/bin/ruff format --check .
	@.venv-dev/bin/ruff check .

types: $(DEV) $(STUBS) $(SCALER) $(DEVICES) ## check types, strictly
	@.venv-dev/bin/mypy .

contract: $(DEV) $(GOOGLE) ## lint the contract
	@.venv-dev/bin/buf lint

breaking: $(DEV) $(GOOGLE) ## compare the contract with the newest release: nothing may break
	@.venv-dev/bin/python -m local.breaking

protos: $(STUBS) ## make the stubs, client/trilens/v1

lock: lock-serve lock-cuda lock-dev lock-rollout lock-protos lock-training lock-uv ## resolve packages (UPGRADE=--upgrade: to the newest)

bench: $(DEV) $(STUBS) $(SCALER) ## measure images per second against what this machine can do at most (ARGS=...)
	@.venv-dev/bin/python -m bench $(ARGS)

chart: helms $(STUBS) $(SCALER) $(DEVICES) ## check the chart: every case, Kubernetes 1.33 to 1.36, Helm 4 and 3; needs Go 1.26
	@.venv-dev/bin/python -m pytest -n auto tests/chart

quickstart: helms $(STUBS) ## write k8s/quickstart.yaml, the chart without Helm
	@.venv-dev/bin/python -m local.chart quickstart

helms: $(DEV)
	@.venv-dev/bin/python -m local.chart build

cluster: $(DEV) $(DEVICES) ## start a real Kubernetes for tests; builds it once; needs root and Go 1.26
	@.venv-dev/bin/python -m local.cluster up

cluster-needs: $(DEV) $(DEVICES) ## say what this machine lacks for it, if anything
	@.venv-dev/bin/python -m local.cluster needs

cluster-down: $(DEV) $(DEVICES) ## end it, and leave nothing behind
	@.venv-dev/bin/python -m local.cluster down

images: $(DEV) $(DEVICES) ## build the container images, and load them into the cluster if it runs; needs root
	@.venv-dev/bin/python -m local.cluster images

rollout: .venv-rollout/made $(STUBS) ## roll out a canary on the cluster of the kube context (ARGS="start detector=1.1.0")
	@.venv-rollout/bin/python -m rollout $(ARGS)

e2e: $(E2E) ## run the tests that need a real cluster, and root and Go (TESTS=... WORKERS=2)
	@$(PYTEST_E2E) -m 'not weights' $(if $(filter tests,$(TESTS)),tests/e2e,$(TESTS))

e2e-core: $(E2E) ## those of them that every change has to pass: install, call, canary, rollback
	@$(PYTEST_E2E) -m core tests/e2e

e2e-weights: $(E2E) ## roll out real weights: as good ones, and with swapped channels; some minutes
	@$(PYTEST_E2E) -m weights tests/e2e

parity: $(TRAINING) $(STUBS) ## compare the runtimes' answers; installs 7 GB (ARGS=...)
	@nice .venv-training/bin/python -m training.parity $(ARGS)

evaluate: $(DEV) $(STUBS) ## measure a package: the figures of its card (MODEL=models/NAME/VERSION)
	@nice .venv-dev/bin/python -m training.evaluate $(or $(MODEL),$(error say which: MODEL=models/NAME/VERSION)) $(ARGS)

train-attributes: build/mtcnn/made ## train the classifier; can be stopped and gone on with (ARGS=...)
train-captions: ## train the captioner; can be stopped and gone on with (ARGS=...)
train-objects: ## make the detector's package from its weights (ARGS=...)
train-objects: STEP := package
train-attributes train-captions train-objects: train-%: $(TRAINING) $(STUBS)
	@nice .venv-training/bin/python -m training.$* $(or $(STEP),train) $(ARGS)

clean: ## remove whatever was made here: environments, stubs, build folders, caches
	@rm -rf .venv .venv-dev .venv-protos .venv-rollout .venv-training build client/trilens/v1 local/cluster/v1beta1/*_pb2* gateway/externalscaler/*_pb2*
	@rm -rf .hypothesis .mypy_cache .pytest_cache .ruff_cache
	@find . -name __pycache__ -prune -exec rm -rf {} +

# What the tasks above need.

build/uv/made: requirements/uv.txt local/environment.py
	@$(PYTHON) local/environment.py uv build/uv
	@touch $@

.venv/made: requirements/serve.txt build/uv/made
	@$(PYTHON) local/environment.py serve .venv
	@touch $@

.venv-%/made: requirements/%.txt build/uv/made
	@$(PYTHON) local/environment.py $* .venv-$*
	@touch $@

# The face finder's networks, out of a package that pins too old a torch to be installed.
build/mtcnn/made: $(TRAINING) training/mtcnn.py
	@$(PYTHON) -m pip download --quiet --no-deps --dest $(@D) facenet-pytorch==2.6.0
	@.venv-training/bin/python -m training.mtcnn $(@D)/facenet_pytorch-2.6.0-py3-none-any.whl
	@touch $@

$(GOOGLE): .venv-protos/made
	@mkdir -p $(@D)
	@cp .venv-protos/lib/python*/site-packages/google/rpc/status.proto $@

$(STUBS): $(wildcard protos/trilens/v1/*.proto) $(GOOGLE)
	@rm -rf client/trilens/v1
	@$(PROTOC) --python_out=client --pyi_out=client --grpc_python_out=client $(filter protos/%,$^)

$(DEVICES) $(SCALER): %_pb2.py: %.proto .venv-protos/made
	@.venv-protos/bin/python -m grpc_tools.protoc -I . --python_out=. --pyi_out=. \
		--grpc_python_out=. $<

lock-serve: SOURCES = pyproject.toml
lock-cuda: SOURCES = pyproject.toml --group cuda --no-emit-package onnxruntime --constraints requirements/serve.txt
lock-dev: SOURCES = pyproject.toml --group dev --constraints requirements/serve.txt
lock-rollout: SOURCES = pyproject.toml --group rollout --constraints requirements/serve.txt
# Ultralytics brings OpenCV with a GUI; installed side by side, the two overwrite each other's files.
lock-training: SOURCES = pyproject.toml --group training --group dev \
	--overrides requirements/training.overrides
lock-%: build/uv/made
	@$(COMPILE) $(UPGRADE) $(or $(SOURCES),requirements/$*.in) -o requirements/$*.txt
