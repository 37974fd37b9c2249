# Development of rampload. `make demo` and `make test` need nothing but Go (and,
# as root on Debian, install the packages that some tests use).
SHELL := /bin/bash
TOOLS := go tool -modfile=.tools.mod
FUZZTIME ?= 10s

.PHONY: hops browser release all demo build test race lint generate fuzz golden bench bench-peers bench-report eval fit calibrate deps
all: lint test

build: ## bin/rampload and bin/rampload-lab
	go build -trimpath -o bin/ ./cmd/rampload ./cmd/rampload-lab

demo: build ## a service that runs out of descriptors, then the same with a sane limit
	bin/rampload demo

# Packages that tests use: real servers to load, real tools to compare with.
PACKAGES := nginx-light haproxy apache2-bin lighttpd stunnel4 iptables nftables conntrack iproute2 tshark wrk gunicorn jq prometheus prometheus-alertmanager prometheus-node-exporter prometheus-process-exporter openssh-server redis-server postgresql
deps:
	@if command -v apt-get >/dev/null && [ "$$(id -u)" = 0 ]; then \
	  missing=$$(dpkg-query -W -f='$${db:Status-Abbrev} $${Package}\n' $(PACKAGES) 2>/dev/null | awk '$$1=="ii"{print $$2}' | sort | comm -13 - <(printf '%s\n' $(PACKAGES) | sort)); \
	  if [ -n "$$missing" ]; then \
	    echo "installing" $$missing; \
	    mkdir -p /etc/systemd/system 2>/dev/null; \
	    (apt-get update -qq && RUNLEVEL=1 DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends $$missing) >/dev/null \
	      || { echo "could not install: tests that need them skip"; [ -z "$$RAMPLOAD_NO_SKIP" ]; }; \
	  fi; \
	  [ -e /sys/kernel/tracing/events ] || mount -t tracefs tracefs /sys/kernel/tracing 2>/dev/null || true; \
	else echo "not root on Debian: tests that need packages or root skip"; fi

test: deps ## every test
	go test -timeout 25m ./...

hops: deps ## every way in which an instance, or the balancer before it, can fail: whom the verdict names (root, 6 minutes)
	RAMPLOAD_TEST_HOPS=1 go test -count=1 -run '^TestHop$$' -v ./cmd/rampload

# Of Jaeger: its store, query service and API, built inside a copy of its module. Its
# all-in-one takes an hour to build, for the libraries of stores that nobody asks.
.PHONY: stores
JAEGER := github.com/jaegertracing/jaeger@v1.76.0
stores: deps ## real stores, built as Go modules (minutes, the first time), and runs that ask them
	@mkdir -p .stores
	CGO_ENABLED=0 go build -modfile=.victorialogs.mod -o .stores/ github.com/VictoriaMetrics/VictoriaLogs/app/victoria-logs
	@set -e; dir=$$(go mod download -json $(JAEGER) | jq -r .Dir); rm -rf .stores/src; cp -r $$dir .stores/src; chmod -R u+w .stores/src; \
	  mkdir -p .stores/src/cmd/rampload/app; cp cmd/rampload/testdata/jaeger.go.txt .stores/src/cmd/rampload/main.go; \
	  for f in http_handler query_parser json_marshaler default_params handler_options util otlp_translator trace_response_handler; do cp $$dir/cmd/query/app/$$f.go .stores/src/cmd/rampload/app/; done
	CGO_ENABLED=0 go build -C .stores/src -o ../jaeger ./cmd/rampload
	RAMPLOAD_STORES=$(CURDIR)/.stores go test -count=1 -run '^Test(VictoriaLogs|Jaeger)$$' -v ./cmd/rampload

race: deps ## every test with the race detector
	go test -race -timeout 60m ./...

lint: ## gofumpt, vet, staticcheck, import rules
	go vet ./...
	go vet -tags bench ./attack/ramp ./cmd/internal/session ./cmd/internal/broadcast
	GOOS=darwin go vet ./...
	GOOS=windows go vet ./...
	$(TOOLS) golangci-lint run ./...

# The objects in probe/rst/bpf are of Debian 12's clang; another version makes others.
generate: ## the kernel programs again with clang 14 and libbpf-dev; fails if they differ from those committed
	@clang --version 2>/dev/null | grep -q 'version 14\.' && [ -e /usr/include/bpf/bpf_helpers.h ] || \
	  { echo "needs clang 14 and libbpf-dev: apt-get install clang-14 libbpf-dev"; exit 1; }
	go generate ./probe/rst/bpf
	git diff --exit-code --stat -- probe/rst/bpf

KERNELS_DIR ?= .kernels
kernels: PACKAGES += qemu-system-x86 xz-utils
kernels: deps ## boot the kernels of Debian's suites and test the kernel programs there; writes probe/rst/bpf/KERNELS.md
	go test -count=1 -timeout 3h -v -run '^TestKernels$$' ./probe/rst/bpf/kernels -kernels $(CURDIR)/$(KERNELS_DIR) -table $(CURDIR)/probe/rst/bpf/KERNELS.md

fuzz: ## every fuzz target for FUZZTIME
	@set -e; for pkg in $$(go list ./...); do \
	  for target in $$(go test -list '^Fuzz' $$pkg | grep '^Fuzz' || true); do \
	    echo "$$pkg $$target"; go test -run '^$$' -fuzz "^$$target\$$" -fuzztime $(FUZZTIME) $$pkg; \
	  done; \
	done

golden: ## rewrite golden files after looking at the change
	@set -e; for pkg in $$(go list -f '{{if .TestGoFiles}}{{.ImportPath}}{{else if .XTestGoFiles}}{{.ImportPath}}{{end}}' ./...); do \
	  dir=$$(go list -f '{{.Dir}}' $$pkg); \
	  if grep -qs '"update"' $$dir/*_test.go; then go test $$pkg -update; fi; \
	done

# On an idle machine, as root. RAMPLOAD_BENCH_ROUNDS and RAMPLOAD_BENCH_SECONDS set
# the length of what is measured; SHORT=1 is a short form, with more noise.
BENCH_TABLE := $(CURDIR)/.bench
bench: PACKAGES += nghttp2-client
bench: export RAMPLOAD_BENCH_TABLE := $(BENCH_TABLE)
ifdef SHORT
bench: export RAMPLOAD_BENCH_ROUNDS ?= 3
bench: export RAMPLOAD_BENCH_SECONDS ?= 0.5
endif
bench: deps ## what engines and observer are held to, as ratios beside their peers: one table, 8 minutes; SHORT=1: 4
	@rm -f $(BENCH_TABLE)
	@go test -tags bench -run '^$$' -bench Bars -benchtime 1x -timeout 15m ./attack/ramp
	@go test -tags bench -run '^$$' -bench Observer -benchtime 1x -timeout 15m -v ./cmd/internal/session
	@go test -run '^$$' -bench Follow -benchtime 10x ./probe/logs
	@go test -tags bench -run '^$$' -bench Telling -benchtime 1x -timeout 15m ./cmd/internal/broadcast
	@echo; cat $(BENCH_TABLE); rm -f $(BENCH_TABLE)

# RAMPLOAD_BENCH_LONG=1 adds memory over ten million requests (5 minutes).
bench-peers: deps ## rampload beside wrk, vegeta and, where installed, wrk2 and fortio, interleaved
	go test -tags bench -run '^$$' -bench 'Peers|Achieved|Memory' -benchtime 1x -timeout 60m ./attack/ramp
	go test -run '^$$' -bench Probes -benchtime 1x ./probe
	go test -run '^$$' -bench Observer -benchtime 1x ./probe/rst

.PHONY: bench-agent eval-agents
bench-agent: ## what an agent takes of a host with 20,000 sockets: share of a core, memory, network
	RAMPLOAD_SCALE=1 go test -run '^$$' -bench Agent -benchtime 1x -timeout 10m ./cmd/rampload

# REPORTS adds reports of your own, of real runs for instance.
browser: PACKAGES += chromium nodejs npm
browser: deps build ## the HTML page in a real browser: drawn, driven, axe-core; screenshots in .browser/
	@rm -rf .browser && mkdir .browser && npm install --silent --no-save --prefix .browser/npm playwright-core@1.65.1 axe-core@4.14.1 >/dev/null
	@go test ./report/render -run TestReports -reports $(CURDIR)/.browser
	@cp $(REPORTS) .browser/ 2>/dev/null || true
	@for f in .browser/*.json; do bin/rampload report $$f --out $${f%.json}.html >/dev/null; done
	node report/render/page/testdata/browser.mjs $(CURDIR)/.browser $$(command -v chromium) $(CURDIR)/.browser/npm

bench-report: ## processor time and memory of a whole report, of 1, 4 and 24 hours of 20 targets (1.5 GB in /tmp)
	RAMPLOAD_BENCH_LONG=1 go test -run LongRunIsFolded -bench Report -benchtime 1x -timeout 60m ./report/assemble

release: ## programs, packages, image, SBOM and checksums in dist/, built twice and compared
	.ci/release --verify

EVAL_SEEDS ?= 1-3
EVAL_DIR ?= .eval
eval: PACKAGES += uwsgi-core uwsgi-plugin-python3 nodejs php-fpm varnish gcc libc6-dev squid caddy tomcat10 puma unicorn
eval: deps build ## run the whole lab and write report/diagnose/EVALUATION.md: root, an idle machine, 45 minutes a seed
	bin/rampload-lab lab-eval --seeds $(EVAL_SEEDS) --dir $(EVAL_DIR) --resume --table report/diagnose/EVALUATION.md

# What agents see must lead to the same verdict as what is seen of namespaces of the same
# machine: each run is recorded both ways. AGENTS names the scenarios.
AGENTS ?= *
eval-agents: PACKAGES += uwsgi-core uwsgi-plugin-python3 nodejs php-fpm varnish gcc libc6-dev squid caddy tomcat10 puma unicorn
eval-agents: deps build ## the lab with an agent for every host too; writes report/diagnose/AGENTS.md: root, 45 minutes
	bin/rampload-lab lab-eval --agents --scenarios '$(AGENTS)' --dir $(EVAL_DIR)-agents --resume --table report/diagnose/AGENTS.md

FIT_EVERY ?= 1
fit: build ## what other strengths of evidence would be worth, each family of faults judged by what fits the others (20 minutes of one core)
	bin/rampload-lab lab-fit --runs report/diagnose/testdata/runs --every $(FIT_EVERY) --table report/diagnose/STRENGTHS.md

# Rows of this code are kept: stop it at any time, or give it a time, and go on later.
CALIBRATE_FOR ?= 0
calibrate: ## the simulations of report/stats and report in full: error rates, power, coverage (30 minutes of one core; in parts with CALIBRATE_FOR=9m)
	nice -n 19 go test ./report/stats ./report -p 1 -timeout 4h -run '$(CALIBRATED)' -calibrate $(CURDIR)/report/diagnose/CALIBRATION.md -for $(CALIBRATE_FOR)
CALIBRATED := NoOnset|FalseRises|RiseError|IntervalsHold|GrowthIsFound|DetectableIsFound|CrossingOfExponential|Calibrate|OneRunEach|BaselineGateErrors
