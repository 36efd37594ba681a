# Blitz. `make` alone prints this list.

GO          ?= go
PROFILE     ?= quick
FUZZTIME    ?= 10s
TESTTIMEOUT ?= 15m
GOLANGCI    ?= github.com/golangci/golangci-lint/v2/cmd/golangci-lint@v2.15.0
BASE        ?= origin/main
HEAD        ?= HEAD
VERSION     ?= $(shell git describe --tags --always --dirty 2>/dev/null)
LDFLAGS     := -s -w $(if $(VERSION),-X main.release=$(VERSION))
PROGRAMS    := blitz blitzload blitzlab
# The version comes from VERSION, so Go need not ask git, which refuses in checkouts of another user.
BUILD       := CGO_ENABLED=0 $(GO) build -trimpath -buildvcs=false
# The nested module links against a library that reaches into the standard library: see RATIONALE.md.
RING        := -ldflags=-checklinkname=0

.DEFAULT_GOAL := help
.PHONY: help build run test bench gate lab-test ansible-lint report testssl lint fmt docs fuzz bench-ring cover cross deps clean

help: ## print this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-12s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)
	@echo
	@echo "  PROFILE=quick|full (bench)   FUZZTIME=10s (fuzz)   BASE=origin/main HEAD=HEAD (gate)"

build: ## build bin/blitz, bin/blitzload and bin/blitzlab
	$(BUILD) -ldflags '$(LDFLAGS)' -o bin/ $(addprefix ./cmd/,$(PROGRAMS))

run: build ## start the gateway on :8080 with the embedded configuration
	bin/blitz serve

# Each compilation with other flags is one more of the standard library and of every dependency, minutes on a small machine with an empty build cache. So
# there are two: this one, for whatever is not the race detector's, and that of the race detector. What go vet has seen once, go test need not see again.
empty       :=
space       := $(empty) $(empty)
PLAIN       := CGO_ENABLED=0 GOFLAGS='$(strip $(GOFLAGS) -trimpath -buildvcs=false)'
# Modules with dependencies that ours has not; they are compiled one after the other. Their tests wait more than they compute, so two run at a time.
NESTED      := $(patsubst %/go.mod,%,$(wildcard test/*/go.mod))
# Packages that only compute, in one goroutine, some of them for minutes under the race detector, which has nothing to find there. internal/archtest looks for goroutines.
SEQUENTIAL  := harness/forecast harness/history harness/query harness/report harness/result harness/stat
# Tests that count allocations over many thousand requests: under the race detector they take minutes, and count what nobody runs.
COUNTING    := RequestsAllocateNothing|EverythingOnAllocatesNothing
TOGETHER    := -j2 $(if $(filter output-sync,$(.FEATURES)),--output-sync=target)

test: deps cross ## everything CI runs: vet, all systems, the nested modules, all tests, under the race detector where anything is concurrent
	$(PLAIN) $(GO) vet ./...
	@set -e; for dir in $(NESTED); do (cd $$dir && $(PLAIN) $(GO) vet ./...); done
	@$(MAKE) --no-print-directory $(TOGETHER) $(addprefix nested-,$(notdir $(NESTED)))
	$(PLAIN) $(GO) test -vet=off -timeout $(TESTTIMEOUT) $(addprefix ./,$(SEQUENTIAL))
	$(PLAIN) $(GO) test -vet=off -timeout $(TESTTIMEOUT) -run '$(COUNTING)' ./proxy/server
	$(GO) test -race -vet=off -timeout $(TESTTIMEOUT) -skip '$(COUNTING)' $$($(GO) list ./... | grep -vxE '.*/($(subst $(space),|,$(SEQUENTIAL)))')

# h2spec prints every case that passes.
nested-%:
	@cd test/$* && out=$$($(PLAIN) $(GO) test -vet=off $(if $(filter giouring,$*),$(RING)) -count=1 -timeout 5m ./... 2>&1); code=$$?; \
		printf '%s\n' "$$out" | grep -v '✔'; exit $$code

bench: build ## compare with nginx, haproxy, h2o and caddy on this machine (full: within 45 minutes), write results/ and COMPARISON.md
	bin/blitzlab bench --install --bin-dir bin --profile $(PROFILE)

gate: build ## has HEAD become slower than BASE? 0 no, 1 yes, 3 cannot tell
	bin/blitzlab gate --baseline $(BASE) --candidate $(HEAD)

lab-test: ## as root: three hosts from nothing by Ansible, a bench over them (docs/LAB.md; 15 minutes at most)
	BLITZ_LAB_TEST=1 $(GO) test -count=1 -v -timeout 15m ./test/lab

ansible-lint: ## the playbook and its roles, in the profile for production
	cd ansible && ansible-lint -c .ansible-lint --offline site.yml roles

report: build ## results/ -> COMPARISON.md and the HTML page
	bin/blitzlab report

testssl: ## testssl.sh against the default configuration (port 8080 must be free) and examples/tls.yaml; takes minutes
	BLITZ_TESTSSL=1 $(GO) test -count=1 -timeout 30m -run TestTestSSL -v ./test/e2e

lint: ## golangci-lint with .golangci.yml
	$(GO) run $(GOLANGCI) run ./...

fmt: ## format all Go files
	gofmt -w $$(git ls-files --cached --others --exclude-standard '*.go')

docs: ## write docs/CONFIG.md, docs/config.schema.json and docs/METRICS.md from the sources
	$(GO) generate ./proxy/config
	$(GO) test -run 'TestMetricsPageIsCurrent' -count=1 ./proxy/telemetry -update

fuzz: ## every fuzz target for FUZZTIME
	@set -e; grep -rlE --include='*_test.go' '^func Fuzz' . | xargs -n1 dirname | sort -u | while read -r dir; do \
		for f in $$(grep -hoE '^func Fuzz[A-Za-z0-9_]*' "$$dir"/*_test.go | cut -c6- | sort -u); do \
			echo "$$dir $$f"; $(GO) test -run '^$$' -fuzz "^$$f\$$" -fuzztime $(FUZZTIME) "$$dir"; \
		done; \
	done

bench-ring: ## benchmark our ring beside giouring's
	cd test/giouring && $(GO) test $(RING) -run '^$$' -bench . -benchmem ./...

cover: ## test coverage, per function and in total
	@mkdir -p bin
	$(GO) test -coverprofile bin/cover.out -timeout $(TESTTIMEOUT) ./...
	$(GO) tool cover -func bin/cover.out

# Nobody runs what comes out, so the compiler need not take trouble over it.
cross: ## compile blitzload and blitzlab for macOS and Windows
	@for os in darwin windows; do echo "compile for $$os"; GOOS=$$os $(BUILD) -gcflags='all=-N -l -dwarf=false' -ldflags='-s -w' ./cmd/blitzload ./cmd/blitzlab || exit 1; done

deps: ## install what the tests need, if it is missing and may be installed
	@.ci/deps

clean: ## remove what was built
	rm -rf bin
