# Everything a developer types. `make` alone lists it. On a fresh Debian 12 or 13 or Raspberry Pi OS
# only python3-venv, make and git must be there: each target installs what it needs into .venv, from
# wheels only. The few programs that only apt has are installed when root, and named otherwise.

SHELL := /bin/bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help
.DELETE_ON_ERROR:
.NOTPARALLEL: # `make test` looks, installs, then tests

# onnxruntime must tell nobody what it runs (docs/design/telemetry.md); the code sets this as well
export ORT_DISABLE_TELEMETRY := 1
# a shell that forbids bytecode would make each process of the tests compile the whole product anew
unexport PYTHONDONTWRITEBYTECODE

PYTHON ?= python3
VENV ?= .venv
BIN := $(VENV)/bin
OUT ?= demo-out
ROUNDS ?= 20
BENCH_ROUNDS ?= 2
MINUTES ?= 150
DATA ?= ../shared/plates
TRAINED ?= ../train
HW_ENV ?= hw_tests/simulated.yaml
HW_OUT ?= hw-out
COMMANDS ?= demo test
PIP := $(BIN)/python -m pip --disable-pip-version-check install --quiet --only-binary :all:
PACKAGING := setup.py pyproject.toml constraints.txt requirements.lock
# Versions and SHA-256 of requirements.lock, then ourselves, built by its setuptools.
define install
	@grep -E '# .*\b($(1))\b' requirements.lock >$(VENV)/locked.txt
	$(PIP) --require-hashes --no-deps --requirement $(VENV)/locked.txt
	$(PIP) --no-deps --no-build-isolation --editable .
endef
# Tests run side by side, one worker a core; one that has nothing left takes from another's list.
# A worker that dies fails the run by the name of its test: one begun in its place loses the list.
PYTEST := $(BIN)/python -m pytest
WORKERS ?= auto
SPREAD := $(PYTEST) --numprocesses $(WORKERS) --maxprocesses 4 --dist worksteal \
	--max-worker-restart 0

# What `programs-NAME` looks for, as command:package; the product and the demo need none of them.
PROGRAMS_quick := mosquitto:mosquitto dbus-daemon:dbus-daemon notify-send:libnotify-bin postgres:postgresql ps:procps unshare:util-linux setpriv:util-linux strace:strace systemd-analyze:systemd pdftoppm:poppler-utils pdftotext:poppler-utils pdfimages:poppler-utils pdfinfo:poppler-utils pdffonts:poppler-utils
PROGRAMS_faults := mosquitto:mosquitto ip:iproute2 nft:nftables mkfs.ext4:e2fsprogs chattr:e2fsprogs
# gcc is of this machine's own kind, and has a package for each other kind.
COMPILERS := $(foreach kind,x86_64 aarch64,$(kind)-linux-gnu-gcc:gcc$(if $(filter-out $(shell uname -m),$(kind)),-$(subst _,-,$(kind))-linux-gnu))
PROGRAMS_deb := dpkg-buildpackage:dpkg-dev dh:debhelper readelf:binutils $(COMPILERS)
PROGRAMS_test := $(PROGRAMS_quick) $(PROGRAMS_faults) node:nodejs npm:npm softhsm2-util:softhsm2 valgrind:valgrind chromium:chromium $(PROGRAMS_deb)
PROGRAMS_hw := mosquitto:mosquitto ip:iproute2 faketime:faketime
PROGRAMS_tree := mmdebstrap:mmdebstrap unshare:util-linux git:git
PROGRAMS_fleet-demo := mosquitto:mosquitto postgres:postgresql
PROGRAMS_fleet := $(PROGRAMS_tree) mosquitto:mosquitto postgres:postgresql
PROGRAMS_boot := $(PROGRAMS_tree) readelf:binutils x86_64-linux-gnu-gcc:gcc systemd-nspawn:systemd-container mosquitto:mosquitto ip:iproute2
PROGRAMS_models := npm:npm
PROGRAMS_stream := git:git
LOOKS := $(addprefix programs-,quick test faults hw deb tree fleet fleet-demo boot models stream)

.PHONY: help demo test check unit quick rest hw format lint types layers faults mutation fuzz bench bench-stream models night clean
.PHONY: findings lock deb test-deb test-arm64 test-boot test-picamera test-fresh test-witness test-brokers test-fleet fleet-demo root $(LOOKS)

help: ## this list
	@grep -E '^[a-z0-9-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/^([a-z0-9-]+):[^#]*## (.*)/  make \1\t\2/' | expand -t 24

demo: $(VENV)/demo.stamp ## the whole story on this machine, no camera, no network: ends in demo-out/index.html
	$(BIN)/platewarden demo --out $(OUT)

test: ## everything: `check`, then the broker, fault, interop, demo and sandbox tests; 10 minutes at most
test: programs-test $(VENV)/rig.stamp $(VENV)/fuzz.stamp
	@tests/stopwatch.sh test 600 $(MAKE) --no-print-directory check rest

check: ## format, lint, types, layers, quick tests; 2 minutes at most
check: programs-quick $(VENV)/dev.stamp
	@tests/stopwatch.sh check 120 $(MAKE) --no-print-directory quick

unit: $(VENV)/dev.stamp ## the unit tests only; under 10 seconds
	@tests/stopwatch.sh unit 10 $(SPREAD) tests/unit -m "not slow"

quick: format lint types layers
	$(SPREAD) -m "not slow"

rest: # of `test`, which has looked and installed
	$(SPREAD) -m slow
	$(PYTEST) hw_tests

format: $(VENV)/dev.stamp
	$(BIN)/ruff format --check

lint: $(VENV)/dev.stamp
	$(BIN)/ruff check --quiet

types: $(VENV)/dev.stamp
	$(BIN)/mypy

layers: $(VENV)/dev.stamp
	$(BIN)/lint-imports

faults: programs-faults $(VENV)/dev.stamp ## the real line, one fault a round for ROUNDS=n (20), then what was lost, doubled or shown, as JSON (docs/ref/faults.md; root for all of it: namespaces, disks; 200 rounds ~10 minutes)
	$(BIN)/python -m tests.faults.rounds --rounds $(ROUNDS)

mutation: programs-quick $(VENV)/dev.stamp ## put small faults into what refuses, seals, logs and checks, one by one, and see which no quick test notices (docs/ref/mutation.md; hours; MODULES="core.policy.decide …" for some)
	$(BIN)/python -m tests.mutation.run $(MODULES)

fuzz: MINUTES = 10
fuzz: $(VENV)/fuzz.stamp ## coverage-guided fuzzing of everything an outsider writes: MINUTES=n for each target (10), two at once; TARGET=name for one (docs/ref/fuzzing.md; x86_64)
	nice -n 19 $(BIN)/python -m tests.fuzz.run --minutes $(MINUTES) $(TARGET)

findings: ## run every script of findings/: does other people's software still do what its table says? (root for two; ~15 minutes)
	@changed=""; for script in findings/*.sh; do echo "== $$script"; "$$script" || changed+=" $$script=$$?"; done; \
	if [ -n "$$changed" ]; then echo "1 is changed, 2 not tried:$$changed" >&2; exit 1; fi

bench: $(VENV)/bench.stamp ## what the parts cost here, and our models beside other people's (BENCHMARK=folder with truth; PEERS=folder with their models)
	$(BIN)/python -m bench $(if $(BENCHMARK),--benchmark $(BENCHMARK)) $(if $(PEERS),--peers $(PEERS)) --rounds $(BENCH_ROUNDS)

bench-stream: programs-stream $(VENV)/bench.stamp ## what a stream of frames costs beside an older build and other people's models (PEERS=folder; BASE=folder of an older checkout, else 920b943 by a git worktree; STREAM_ARGS="--no-stages …")
	$(BIN)/python -m bench.stream $(if $(PEERS),--peers $(PEERS)) $(if $(BASE),--base $(BASE)) --rounds $(BENCH_ROUNDS) $(STREAM_ARGS)

hw: programs-hw $(VENV)/rig.stamp ## the tests on a rig: HW_ENV=file (default hw_tests/simulated.yaml: this machine); JUnit and the page of all nights in hw-out/ (~6 minutes)
	$(BIN)/python -m pytest hw_tests -p labgrid.pytestplugin --lg-env $(HW_ENV) --hw-out $(HW_OUT) --hw-history $(HW_OUT)/history --junitxml $(HW_OUT)/junit.xml $(HW_ARGS)

night: programs-hw $(VENV)/rig.stamp ## one night of the rig: `hw`, and a notice to NOTICE=file when it failed; one line for a timer or CI
	$(BIN)/python -m hw_tests.night --env $(HW_ENV) --out $(HW_OUT) $(if $(NOTICE),--notice $(NOTICE)) $(HW_ARGS)

lock: $(VENV)/dev.stamp ## write requirements.lock anew, after a change of constraints.txt or setup.py (a minute; by uv)
	$(PIP) --constraint constraints.txt uv
	$(BIN)/python debian/lock.py

test-picamera: root programs-tree ## the picamera2 adapter and the whole line over the real library in a Debian trixie tree (root; ~7 minutes, ~14 the first time)
	tests/picamera/run.sh

test-witness: root programs-tree $(VENV)/dev.stamp ## another maker's witness, sigsum's of Debian trixie, cosigns our log over HTTP (root, mmdebstrap; ~1 minute)
	PYTHON=$(abspath $(BIN)/python) tests/witnesses/run.sh

test-brokers: root programs-tree $(VENV)/dev.stamp ## three nodes of RabbitMQ 4 as `broker init --software rabbitmq` sets them up, one killed (root, mmdebstrap; ~4 minutes the first time, then 2)
	PYTHON=$(abspath $(BIN))/python tests/brokers/run.sh

test-fleet: root programs-fleet $(VENV)/dev.stamp ## a fleet on Mosquitto, then on three nodes of RabbitMQ 4: real deliver processes, simulated sessions, two receivers on one PostgreSQL; receivers, nodes and the leader killed (root, mmdebstrap; ~6 minutes; FLEET_ARGS="--sessions 10000 --cameras 100 …"; docs/ref/fleet.md)
	PYTHON=$(abspath $(BIN))/python tests/fleet/run.sh $(FLEET_ARGS)

fleet-demo: programs-fleet-demo $(VENV)/dev.stamp ## a desk on this machine, until Ctrl-C: broker, PostgreSQL, two receivers, ringer and inbox, two cameras that send a made-up plate (containers/compose.yaml describes the same)
	$(BIN)/python -m tests.fleet.demo $(FLEET_ARGS)

test-boot: root programs-boot $(VENV)/dev.stamp ## the units booted by systemd-nspawn in a Debian trixie tree: walls, hangs, reboots (root, ~5 minutes more the first time, then 5; 11 on a busy machine)
	PYTHON=$(abspath $(BIN)/python) tests/boot/run.sh

deb: programs-deb $(VENV)/dev.stamp ## Debian packages for bookworm and trixie, amd64 and arm64, into dist/ (needs debhelper; ~10 minutes; SUITE= and ARCH= for one; TWICE=1 builds each again and compares the bytes)
	$(BIN)/python debian/build.py $(if $(SUITE),--suite $(SUITE)) $(if $(ARCH),--architecture $(ARCH)) $(if $(TWICE),--twice)

test-deb: root programs-tree $(VENV)/dev.stamp ## install, upgrade, remove and purge the amd64 packages of dist/ in fresh trees, and turn a card into a camera (root, mmdebstrap; ~10 minutes)
	for suite in $(or $(SUITE),bookworm trixie); do debian/test_packages.sh $$suite dist/$$suite; done
	$(if $(filter bookworm,$(SUITE)),,PYTHON=$(abspath $(BIN))/python debian/test_first_boot.sh dist/trixie)

test-arm64: root programs-tree $(VENV)/dev.stamp ## vision, sealing, policy and mailbox tests on aarch64, emulated as a Raspberry Pi 4 (root, mmdebstrap, Linux 6.7; ~6 minutes and the tree; CPU= for another)
	PYTHON=$(abspath $(BIN))/python tests/arm64/run.sh

test-fresh: ## the README's commands in a bare Debian 12 and 13 (root; ~25 minutes; SUITE= for one)
test-fresh: root programs-tree
	@for suite in $(or $(SUITE),bookworm trixie); do tests/fresh/run.sh $$suite $(COMMANDS); done

models: export PLATEWARDEN_PLATES = $(DATA)
models: programs-models $(VENV)/train.stamp ## train the seven models again (hours; MINUTES=n each; DATA=folder with the photographs whose training is allowed; needs npm and three fonts by apt)
	$(BIN)/python -m models.training.fonts --install
	$(BIN)/python -m models.training.detector.train --minutes $(MINUTES) --data $(DATA) --out $(TRAINED)/teacher
	$(BIN)/python -m models.training.detector.distil --minutes $(MINUTES) --data $(DATA) --out $(TRAINED)/detector --cache $(TRAINED)/teacher --start $(TRAINED)/teacher/checkpoint.pt
	$(BIN)/python -m models.training.aligner.train --minutes $(MINUTES) --data $(DATA) --out $(TRAINED)/aligner --cache $(TRAINED)/teacher
	$(BIN)/python -m models.training.recognizer.train --minutes $(MINUTES) --data $(DATA) --out $(TRAINED)/recognizer
	$(BIN)/python -m models.training.stacked.train --minutes $(MINUTES) --data $(DATA) --out $(TRAINED)/stacked --start $(TRAINED)/recognizer/checkpoint.pt
	$(BIN)/python -m models.training.reviewer.train --minutes $(MINUTES) --data $(DATA) --out $(TRAINED)/reviewer --start $(TRAINED)/recognizer/checkpoint.pt --teacher $(TRAINED)/recognizer/checkpoint.pt
	$(BIN)/python -m models.training.issuer.train --minutes $(MINUTES) --out $(TRAINED)/issuer
	for model in detector aligner recognizer reviewer stacked issuer; do $(BIN)/python -m models.training.$$model.export $(TRAINED)/$$model/checkpoint.pt; done
	$(BIN)/python -m models.training.plots $(TRAINED)/detector $(TRAINED)/aligner $(TRAINED)/recognizer
	$(BIN)/python -m models.training.manifest
	for seed in 17 18 19; do $(BIN)/python -m models.training.whole.samples --data $(DATA) --seed $$seed --to $(TRAINED)/whole/$$seed.npz; done
	$(BIN)/python -m models.training.whole.see $(TRAINED)/whole/*.npz --minutes $(MINUTES) --out $(TRAINED)/seen
	$(BIN)/python -m models.training.whole.train $(TRAINED)/whole/*.npz --eyes $(TRAINED)/seen/checkpoint.pt --out $(TRAINED)/whole
	$(BIN)/python -m models.training.whole.export $(TRAINED)/whole/checkpoint.pt
	$(BIN)/python -m models.training.manifest

clean: ## remove what make made, .venv included; the nights in hw-out/ stay
	rm -rf $(VENV) build dist $(OUT) *.egg-info .mypy_cache .ruff_cache .pytest_cache .import_linter_cache .hypothesis fuzz-out tests/interop/node_modules

# --- what the targets stand on ---

$(BIN)/python:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { echo "Platewarden needs Python 3.11 or newer; $(PYTHON) is older. Try: make PYTHON=python3.13" >&2; exit 1; }
	@$(PYTHON) -c 'import ensurepip, venv' 2>/dev/null || { echo "Python's venv is missing. Type: sudo apt-get install python3-venv" >&2; exit 1; }
	$(PYTHON) -m venv $(VENV)

$(VENV)/demo.stamp: $(PACKAGING) | $(BIN)/python
	$(call install,demo)
	@touch $@

$(VENV)/dev.stamp: $(PACKAGING) | $(BIN)/python
	$(call install,demo|dev)
	@touch $@ $(VENV)/demo.stamp

$(VENV)/rig.stamp: $(PACKAGING) | $(BIN)/python
	$(call install,demo|dev|rig)
	@touch $@ $(VENV)/demo.stamp $(VENV)/dev.stamp

$(VENV)/fuzz.stamp: $(PACKAGING) | $(BIN)/python # where there is no atheris, only its runs are missing
	$(call install,demo|dev|fuzz)
	@touch $@ $(VENV)/demo.stamp $(VENV)/dev.stamp

$(VENV)/bench.stamp: $(PACKAGING) | $(BIN)/python
	$(call install,demo|dev|bench)
	@touch $@ $(VENV)/demo.stamp $(VENV)/dev.stamp

$(VENV)/train.stamp: $(PACKAGING) | $(BIN)/python # torch and its company are in no lock
	$(call install,demo|dev)
	$(PIP) --constraint constraints.txt --editable '.[demo,dev,train]'
	@touch $@ $(VENV)/demo.stamp $(VENV)/dev.stamp

$(LOOKS): programs-%:
	@missing=""; for pair in $(PROGRAMS_$*); do \
		PATH="$$PATH:/usr/sbin:/sbin$$(printf ':%s' /usr/lib/postgresql/*/bin)" command -v "$${pair%%:*}" >/dev/null || missing+=" $${pair##*:}"; \
	done; \
	if [ -z "$$missing" ]; then exit 0; fi; \
	if [ "$$(id -u)" -ne 0 ]; then echo "make $(MAKECMDGOALS) needs:$$missing." \
		"Type: sudo apt-get install --no-install-recommends$$missing" >&2; exit 1; fi; \
	apt-get update -qq && DEBIAN_FRONTEND=noninteractive \
		apt-get install --yes -qq --no-install-recommends $$missing

root:
	@if [ "$$(id -u)" -ne 0 ]; then echo "make $(MAKECMDGOALS) needs root (chroot, mounts)." \
		"Type: sudo -E make $(MAKECMDGOALS)" >&2; exit 1; fi
