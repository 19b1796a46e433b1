# What a developer does with this tree. `make` alone prints it.

SHELL := /bin/bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help

BIN := .bin
GO ?= go
# Tests are linked without DWARF. Lint vets them.
TEST_FLAGS ?= -race -vet=off -ldflags=-w
PKG ?= ./...
FUZZ_COUNT ?= 20000
BENCH_COUNT ?= 10

.PHONY: help
help: ## print this
	@awk 'BEGIN { FS = ":.*## " } /^[a-z-]+:.*## / { printf "  make %-14s %s\n", $$1, $$2 }' Makefile

.PHONY: build
build: ## build the programs into .bin
	$(GO) build -trimpath -o $(BIN)/ ./cmd/...

# Testrun runs heavy packages one at a time, which is what lets them pass on two
# cores. It is built, not run by the go command, so that an interrupt reaches it.
TESTRUN := $(BIN)/testrun
.PHONY: testrun
testrun:
	@$(GO) build -o $(TESTRUN) ./internal/test/testrun

.PHONY: test
test: postgres testrun ## run every test, race detector on, on real Postgres and (with Java and Maven) real Kafka
	$(GO) run ./internal/test/testenv -- $(TESTRUN) $(GO) $(TEST_FLAGS) -- $(PKG)

.PHONY: test-fast
test-fast: postgres testrun ## run the tests without the race detector and without real Kafka
	$(GO) run ./internal/test/testenv -no-kafka -- $(TESTRUN) $(GO) -short -- $(PKG)

.PHONY: machine
machine: testrun ## print the number of cores, and how late they serve a process just now
	@$(TESTRUN) -machine

# Postgres and pgbouncer are taken from the machine; on a bare one of Debian's kind
# root installs them. internal/host/pgserver says what to do in all other cases.
.PHONY: postgres
postgres:
	@if ! ls /usr/lib/postgresql/*/bin/postgres >/dev/null 2>&1 && ! command -v postgres >/dev/null && [ -z "$${PG_BIN_DIR:-}$${ODASTREAM_TEST_DATABASE_URL:-}" ] \
	    && [ "$$(id -u)" = 0 ] && command -v apt-get >/dev/null; then \
	  echo "no Postgres on this machine: installing it"; \
	  apt-get update -qq && DEBIAN_FRONTEND=noninteractive apt-get install -y -qq postgresql >/dev/null; \
	fi
	@if [ ! -x /usr/sbin/pgbouncer ] && ! command -v pgbouncer >/dev/null && [ "$$(id -u)" = 0 ] && command -v apt-get >/dev/null; then \
	  echo "no pgbouncer on this machine: installing it"; \
	  apt-get update -qq && DEBIAN_FRONTEND=noninteractive apt-get install -y -qq pgbouncer >/dev/null \
	    || echo "pgbouncer cannot be installed: its tests are skipped, and fail in CI"; \
	fi

LINT := $(BIN)/golangci-lint
$(LINT): tools/lint/go.mod
	cd tools/lint && $(GO) build -o ../../$@ github.com/golangci/golangci-lint/v2/cmd/golangci-lint

.PHONY: lint
lint: $(LINT) ## hold the style and the direction of imports (.golangci.yml)
	$(LINT) config verify
	$(LINT) run --allow-parallel-runners ./...
	cd tools/composecheck && ../../$(LINT) run --allow-parallel-runners ./...
	cd tools/dockerfilecheck && ../../$(LINT) run --allow-parallel-runners ./...
	cd tools/mutants && ../../$(LINT) run --allow-parallel-runners ./...
	cd tools/release && ../../$(LINT) run --allow-parallel-runners ./...
	cd tools/workflows && ../../$(LINT) run --allow-parallel-runners ./...

.PHONY: format
format: $(LINT) ## format the code as lint wants it
	$(LINT) fmt ./...

# One target at a time is what `go test -fuzz` takes.
.PHONY: fuzz
fuzz: ## run each fuzz target FUZZ_COUNT times (20000)
	@grep -rlE '^func Fuzz' --include='*_test.go' . | sort | while read -r file; do \
	  for target in $$(sed -nE 's/^func (Fuzz[A-Za-z0-9_]*)\(.*/\1/p' "$$file"); do \
	    echo "$$(dirname "$$file") $$target"; \
	    $(GO) test -run '^$$' -fuzz "^$$target\$$" -fuzztime $(FUZZ_COUNT)x "$$(dirname "$$file")"; \
	  done; \
	done

.PHONY: bench
bench: postgres ## run each benchmark BENCH_COUNT times (10), for benchstat
	$(GO) run ./internal/test/testenv -no-kafka -- $(GO) test -run '^$$' -bench . -benchmem -count $(BENCH_COUNT) $(PKG)

.PHONY: corpus
corpus: postgres ## compare the answers to the query forms of real programs, directly and by HTTP, and the composed reads, over real rows, with evaluation in memory
	$(GO) run ./internal/test/testenv -no-kafka -- $(GO) test -count=1 -tags corpus -run 'TestTheFormsOfRealPrograms|TestNounsOverRealRows|TestRealProgramsAreAnswered' ./query ./gateway

SOAK ?= 1h
.PHONY: soak
soak: postgres ## let a simulated parliament work for SOAK (1h), kill or freeze what follows it every 20 s, and verify
	ODASTREAM_SOAK=$(SOAK) $(GO) run ./internal/test/testenv -- $(GO) test -count=1 -timeout 4h -v -run 'TestSoak$$' ./internal/test/e2e

SUBSCRIBE ?= 10m
.PHONY: subscribers
subscribers: postgres ## let a thousand subscribers follow fifty changes a second for SUBSCRIBE (10m), with reconnects
	ODASTREAM_SUBSCRIBE=$(SUBSCRIBE) $(GO) run ./internal/test/testenv -no-kafka -- $(GO) test -count=1 -timeout 2h -v -run 'TestManySubscribersHaveEveryChange$$' ./gateway

LOCK_HELD ?= 1m
.PHONY: locks
locks: postgres ## hold each lock of docs/architecture.md for LOCK_HELD (1m), and see who stands still
	ODASTREAM_LOCK_HELD=$(LOCK_HELD) $(GO) run ./internal/test/testenv -no-kafka -- $(GO) test -count=1 -timeout 1h -v -run 'TestWhoStandsStillAtALock$$' ./internal/test/e2e

# Without the race detector, which makes each five times as dear. A sink's history
# takes as long as ten of a poller's. Pollers live in 16 worlds (manyWorlds), each of
# which draws -rapid.checks histories.
HISTORIES ?= 3200
.PHONY: histories
histories: postgres ## live through HISTORIES (3200) random histories of pollers, and a twentieth as many of sinks
	$(GO) run ./internal/test/testenv -no-kafka -- $(GO) test -count=1 -timeout 10h -run TestAnyHistoryEndsAtTheSource ./capture -rapid.checks=$$(( $(HISTORIES) / 16 ))
	ODASTREAM_HISTORIES=$$(( $(HISTORIES) / 20 )) $(GO) run ./internal/test/testenv -no-kafka -- $(GO) test -count=1 -timeout 10h -run TestAnyHistoryOfSinksIsExactlyOnce ./apply

# Each rule is broken in turn, a few at once, and the tests that keep it are run.
MUTANTS ?= .
.PHONY: mutants
mutants: postgres ## break each rule once and see a test fail; writes docs/mutants.md
	$(GO) -C tools/mutants build -o ../../$(BIN)/mutants .
	$(GO) run ./internal/test/testenv -no-kafka -- $(BIN)/mutants -root . -only '$(MUTANTS)' -o $(if $(filter .,$(MUTANTS)),docs/mutants.md,$(BIN)/mutants.md)

.PHONY: compose-check
compose-check: ## check the Compose file and the Dockerfile, without Docker
	mkdir -p $(BIN)
	$(GO) run ./cmd/poller --help > $(BIN)/poller.help
	$(GO) run ./cmd/sink --help > $(BIN)/sink.help
	$(GO) run ./cmd/gateway --help > $(BIN)/gateway.help
	$(GO) -C tools/composecheck run . -help poller=$(CURDIR)/$(BIN)/poller.help -help sink=$(CURDIR)/$(BIN)/sink.help -help gateway=$(CURDIR)/$(BIN)/gateway.help $(CURDIR)/docker-compose.kafka.yml
	$(GO) -C tools/dockerfilecheck run . $(CURDIR)/Dockerfile

.PHONY: tools-test
tools-test: ## test the tools, which are modules of their own
	$(GO) -C tools/composecheck test ./...
	$(GO) -C tools/dockerfilecheck test ./...
	$(GO) -C tools/mutants test ./...
	$(GO) -C tools/release test ./...
	$(GO) -C tools/workflows test ./...

.PHONY: release
release: ## build the archives, SBOMs and checksums of a release into .bin/release
	rm -rf $(BIN)/release
	$(GO) -C tools/release run . -root $(CURDIR) -out $(CURDIR)/$(BIN)/release

# Every compiler of a release's platforms is the same one: what can fail on another
# system are the files that are built only there.
CROSS ?= windows/amd64 darwin/arm64
.PHONY: release-check
release-check: ## build the programs for other systems; build the last commit twice, from two places, and compare
	for platform in $(CROSS); do \
	  CGO_ENABLED=0 GOOS=$${platform%/*} GOARCH=$${platform#*/} $(GO) build -o $(BIN)/cross/ ./cmd/...; \
	done
	$(GO) -C tools/release run . -root $(CURDIR) -check $(COLD) linux/amd64

.PHONY: clean
clean: ## remove what was built; databases and jars in the user's cache stay
	rm -rf $(BIN)
