# Everything a contributor runs. "make ci" is what the pull request runs.
export GOTOOLCHAIN = auto

LINT_VERSION = v2.15.0
# The linter must be built with the tree's own Go, or it cannot parse generic methods.
# A shell of make does not see what make exports.
GO_VERSION   = $(shell GOTOOLCHAIN=auto go env GOVERSION)
LINT         = bin/golangci-lint-$(LINT_VERSION)-$(GO_VERSION)

# Packages with tests against real servers, by their build tag.
INTEGRATION  = $(shell grep -rlE --include='*_test.go' '^//go:build .*\bintegration\b' . | xargs -r -n1 dirname | sort -u)

.PHONY: test race simulation planted vet lint fmt layout kafka kafka-stop postgres postgres-stop integration integration-large chaos bench-smoke ci

test: ## the hermetic tests
	go test ./...

# vet is a target of its own. The race detector waits a second at each exit for goroutines that still run; goleak lets none.
race: ## the same with the race detector and the invariants
	CGO_ENABLED=1 GORACE=atexit_sleep_ms=0 go test -race -vet=off ./...

SEEDS ?= 10000
simulation: ## whole jobs in a simulated world, a seed for each run: no run may find anything
	go test ./internal/sim -v -run Seeds -timeout 30m -args -seeds $(SEEDS)

planted: ## bugs put in on purpose: the simulation must find each of them; SOME=8 takes eight, others each day
	go test -tags planted ./internal/sim -v -run Planted -timeout 60m -args -seeds $(SEEDS) -some $(or $(SOME),0)

vet:
	go vet ./...
	go vet -tags integration ./...
	go vet -tags invariants ./internal/invariants
	go vet -tags faults ./internal/fault
	go vet -tags planted ./internal/...

lint: $(LINT)
	$(LINT) run ./...

fmt: $(LINT)
	$(LINT) fmt

layout: ## who imports whom; works while the root package does not build
	go test ./layout_test.go

kafka: ## a real broker on 127.0.0.1:9092, 9094 (SASL) and 9095 (TLS)
	scripts/kafka.sh start

kafka-stop:
	scripts/kafka.sh stop

postgres: ## a real PostgreSQL on 127.0.0.1:54329
	scripts/postgres.sh start

postgres-stop:
	scripts/postgres.sh stop

# Packages whose tests run a NATS server of their own, in the test's process or, with MILLRACE_NATS_SERVER, in one of its own.
NATS_TESTS   = ./cluster ./integration/jetstream ./mailbox/natslane ./sources/natssource ./sinks/natssink

integration: ## the tests against real servers, which it starts; one package at a time, they share the broker
	go build -o bin/nats-server github.com/nats-io/nats-server/v2
	MILLRACE_NATS_SERVER=$(CURDIR)/bin/nats-server go test -count 1 -p 1 $(NATS_TESTS)
	@test -n "$(INTEGRATION)" || { echo "integration: no test has the build tag"; exit 1; }
	scripts/with-kafka.sh scripts/with-postgres.sh go test -tags integration -count 1 -p 1 -timeout 30m $(INTEGRATION)

integration-large: ## the tests of the whole at the sizes of a published figure: 20 M keys in Badger; 10 minutes and 15 GB of disk
	MILLRACE_BADGER_KEYS=20000000 MILLRACE_KILLS=30 scripts/with-kafka.sh go test -tags integration -count 1 -v -timeout 60m ./integration

# How often chaos kills the job, and further flags of benchmarks/chaos.
KILLS = 30
CHAOS =

chaos: ## a real job with three exactly-once sinks, killed KILLS times, its outputs checked; about a second a kill
	go build -tags faults -o bin/chaos-job ./benchmarks/chaos/job
	go build -o bin/chaos ./benchmarks/chaos
	scripts/with-kafka.sh scripts/with-postgres.sh bin/chaos -job bin/chaos-job -kills $(KILLS) -json $(CHAOS)

bench-smoke: ## each benchmark for a second: it runs, its figures mean nothing
	scripts/with-kafka.sh scripts/bench-smoke.sh

ci:
	.ci/run

$(LINT):
	GOTOOLCHAIN=$(GO_VERSION) GOBIN=$(CURDIR)/bin/tmp go install github.com/golangci/golangci-lint/v2/cmd/golangci-lint@$(LINT_VERSION)
	mv bin/tmp/golangci-lint $@ && rmdir bin/tmp
