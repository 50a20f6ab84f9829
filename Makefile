# Parley. Every target installs what it lacks by itself: Debian packages through scripts/need, Go tools into .tools.

SHELL := /bin/bash
TOOLS := $(CURDIR)/.tools
GOFUMPT := $(TOOLS)/gofumpt-v0.10.0
STATICCHECK := $(TOOLS)/staticcheck-v0.8.2
GOVULNCHECK := $(TOOLS)/govulncheck-v1.9.0
VERSITYGW := $(TOOLS)/versitygw-v1.8.0
ARGS ?= --dev
TESTFLAGS ?=

.PHONY: run build test check fmt bench cps fuzz kills ledger clean

## run: start the server with embedded defaults (ARGS="--dev" unless given)
run: build
	@scripts/need flite espeak-ng
	@exec ./bin/parley serve $(ARGS)

## build: bin/parley, one binary, libopus inside
build:
	@scripts/need libopus-dev
	@mkdir -p bin
	go build -trimpath -o bin/parley ./cmd/parley

## test: all tests under the race detector; those with real phones last, when nothing else takes the processor
test: $(VERSITYGW)
	@scripts/need libopus-dev sip-tester baresip-core kamailio linphone-cli sox flite espeak-ng ffmpeg
	@command -v npm >/dev/null || scripts/need nodejs npm
	go build -trimpath -o bin/parley ./cmd/parley
	go test -race -timeout 30m $(TESTFLAGS) $$(go list ./... | grep -v /internal/e2e)
	go test -race -tags testhooks $(TESTFLAGS) ./internal/wall
	go test -race -timeout 30m $(TESTFLAGS) ./internal/e2e

## check: format, vet, lint, architecture, vulnerabilities
check: $(GOFUMPT) $(STATICCHECK) $(GOVULNCHECK)
	@scripts/need libopus-dev
	@out=$$($(GOFUMPT) -l $$(git ls-files '*.go')); if [ -n "$$out" ]; then echo "gofumpt: run 'make fmt' for:"; echo "$$out"; exit 1; fi
	go vet ./...
	go vet -tags testhooks ./cmd/parley ./internal/wall
	$(STATICCHECK) ./...
	go test -count=1 ./internal/arch
	@scripts/vulncheck $(GOVULNCHECK)

## fmt: format all Go files
fmt: $(GOFUMPT)
	$(GOFUMPT) -w $$(git ls-files '*.go')

## bench: the figures that README quotes
bench: build
	@scripts/need sip-tester
	@scripts/bench

## cps: calls of one second that join and leave, at RATES (125,200,250,300) a second into ROOMS (1) conferences
cps: build
	@scripts/cps

## fuzz: each fuzz target for FUZZTIME (default 20s)
fuzz:
	@scripts/fuzz

## kills: a recorder killed KILLS times (100) at random moments; every file opens, at most 200 ms missing
kills:
	@scripts/need libopus-dev ffmpeg sox
	PARLEY_TEST_KILLS=$${KILLS:-100} go test -v -count=1 -timeout 20m -run '^TestKill$$' ./internal/recording

## ledger: EVENTS (10000) events through a receiver that refuses half of them; it and the server are killed 20 times
ledger:
	@scripts/need libopus-dev
	PARLEY_TEST_LEDGER=$${EVENTS:-10000} go test -v -count=1 -timeout 30m -run '^TestLedger$$' ./internal/e2e

clean:
	rm -rf bin .tools

$(GOFUMPT):
	@scripts/tool mvdan.cc/gofumpt@v0.10.0 gofumpt $@
$(STATICCHECK):
	@scripts/tool honnef.co/go/tools/cmd/staticcheck@v0.8.2 staticcheck $@
$(VERSITYGW): # a complete S3 server for the tests of the bucket store
	@scripts/tool github.com/versity/versitygw/cmd/versitygw@v1.8.0 versitygw $@ || echo 'versitygw: not to be had; the tests with a real S3 server are skipped' >&2
$(GOVULNCHECK):
	@scripts/tool golang.org/x/vuln/cmd/govulncheck@v1.9.0 govulncheck $@
