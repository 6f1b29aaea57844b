# What people do here. Everything needs Go, in the version of go.mod or later.
# Tests also need a C compiler, PostgreSQL's server programs, npm and Chromium: they are
# installed from the distribution where that is possible, else you are told what
# to install. `make check` builds its linter once, which takes some minutes.
SHELL := /bin/bash -o pipefail
ARGS ?=
FUZZTIME ?= 20s
# The race detector looks at our code: within SQLite, which is C by origin, it
# finds nothing and takes most of the time.
OWN := -gcflags=modernc.org/...=-race=false
LINT := go tool -modfile=tools.mod golangci-lint

.PHONY: help
help: ## this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "make %-10s %s\n", $$1, $$2 }' Makefile

.PHONY: run
run: build ## start the collector on http://127.0.0.1:5000; ARGS='--listen ...' are its flags
	bin/pipeline-metrics-collector serve $(ARGS)

.PHONY: build
build: ## one static program: bin/pipeline-metrics-collector
	CGO_ENABLED=0 go build -trimpath -o bin/ ./cmd/pipeline-metrics-collector

.PHONY: test
test: ## all tests, with the race detector, on SQLite and a throw-away PostgreSQL
	scripts/test-needs packages
	scripts/with-postgres scripts/test -race $(OWN) -shuffle=on -timeout 25m ./...

.PHONY: check
check: ## modules are as pinned, everything builds, the linter is content
	go mod verify
	go build ./...
	go vet ./...
	$(LINT) run ./...

.PHONY: lint
lint: ## the linter alone; .golangci.yaml has the rules and their reasons
	$(LINT) run ./...

.PHONY: dead
dead: ## functions that no program and no test reaches
	go tool -modfile=tools.mod deadcode -test ./...

.PHONY: fmt
fmt: ## gofumpt and gci on all files
	$(LINT) fmt ./...

.PHONY: fuzz
fuzz: ## each fuzz target for FUZZTIME=20s
	scripts/fuzz $(FUZZTIME)

.PHONY: golden
golden: ## accept what the code now produces as golden files; read the diff
	go test $$(grep -rl --include='*_test.go' 'flag.Bool("update"' . | xargs -n 1 dirname | sort -u) -update

.PHONY: bench
bench: ## load and baselines in one run, as ratios; ARGS='...' are its flags
	scripts/with-postgres go run ./bench $(ARGS)

.PHONY: bench-read
bench-read: ## every question on a database of a year; ARGS='--pipelines 1000000' for the targets
	scripts/with-postgres go run ./bench read $(ARGS)

# Tests with Soak in their name run in `make test` too, with small counts.
.PHONY: soak
soak: ## the Soak tests with full counts (PMC_SOAK=1): up to two hours
	PMC_SOAK=1 scripts/with-postgres go test -v -p 1 -run Soak -timeout 2h ./...

.PHONY: cover
cover: ## coverage.out, and the share of statements that the tests reach
	scripts/with-postgres go test -coverpkg=./internal/... -coverprofile=coverage.out ./...
	go tool cover -func=coverage.out | tail -n 1

.PHONY: screenshots
screenshots: ## the pictures of the documents, from the demo data; needs Chromium
	scripts/screenshots
