# Every habit has one name: `make help` lists them.

# bash reads BASH_ENV: each recipe runs with the pinned tools, as `source tools/env.sh` gives a shell.
SHELL := /bin/bash
.SHELLFLAGS := -euo pipefail -c
export BASH_ENV := $(CURDIR)/tools/env.sh
MAKEFLAGS += --no-print-directory
.DEFAULT_GOAL := help

ENV ?= dev
# where make plan leaves the plan
PLAN ?= cdktf.out/stacks/$(ENV)/plan

# what the page is built with, once it is installed
packages := apps/web/node_modules/.package-lock.json

.PHONY: help
help: ## list the commands
	@awk -F ':.*## ' '/^[a-z-]+:.*## /{printf "  make %-15s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

.PHONY: tools
tools: ## install the pinned tools into .tools/
	@tools/install.sh

.PHONY: scanners
scanners: ## install what the tests of the pipelines run: act, Grype and Syft (minutes)
	@tools/install.sh scanners

.PHONY: system
system: ## install what the shop needs of the operating system, or name it: containers, PostgreSQL, a browser
	@tools/system.sh

##- the platform

.PHONY: synth
synth: tools ## synthesize every stack into cdktf.out/
	@cdktf synth

.PHONY: bootstrap
bootstrap: tools ## create the state bucket and the lock table in your AWS account
	@go run ./cmd/bootstrap

.PHONY: plan
plan: tools ## show what a deploy of ENV would change (ENV=dev)
	@cdktf diff $(ENV)

.PHONY: review
review: tools ## summarize a saved plan (PLAN=cdktf.out/stacks/dev/plan)
	@terraform -chdir="$(dir $(PLAN))" show -json "$(notdir $(PLAN))" | \
	  go run ./cmd/planreview -stack "$(dir $(PLAN))cdk.tf.json"

.PHONY: deploy
deploy: tools ## change ENV to what the code says, after asking (ENV=dev)
	@cdktf deploy $(ENV)

.PHONY: repository
repository: ## set up the GitHub repository: environments, reviewers, rules (REVIEWERS=alice,team:platform)
	@go run ./cmd/repository -reviewers "$(REVIEWERS)"

##- a running environment

.PHONY: run
run: ## run a one-off task and wait for its end (ENV=dev TASK=migrate COMMAND="...")
	@./deploy.sh run $(ENV) "$(TASK)" $(if $(COMMAND),-- $(COMMAND))

.PHONY: redrive
redrive: ## move the dead letters of a queue back to it (ENV=dev QUEUE=mail RATE=10)
	@./deploy.sh redrive $(if $(RATE),-rate $(RATE)) $(ENV) "$(QUEUE)"

.PHONY: wake
wake: ## wake ENV before its time (ENV=dev)
	@./deploy.sh wake $(ENV)

.PHONY: sleep
sleep: ## put ENV to sleep before its time (ENV=dev)
	@./deploy.sh sleep $(ENV)

##- on this machine, against an AWS emulator

.PHONY: up
up: tools system ## bootstrap, deploy shared and dev with the shop to a local AWS emulator, and leave it running
	@go run ./cmd/live up

.PHONY: demo
demo: tools system ## the same, and a browser that orders something through the page
	@go run ./cmd/live demo

.PHONY: screenshots
screenshots: tools system ## take the README's pictures of what is up
	@go run ./cmd/live screenshots

.PHONY: down
down: tools system ## stop what make up or make demo started, and remove what it left
	@go run ./cmd/live down

.PHONY: live
live: tools ## apply ENV, plan it again, destroy it (ENV=dev)
	@go run ./cmd/live cycle $(ENV)

##- checks

.PHONY: test
test: tools scanners system lint golden scan page ## everything: lint, golden files, scan and all tests
	@cd internal/emulator && ../../.tools/emulator/bin/python -m unittest
	@cd apps && go test -race ./...
	@cd apps/web && npm test && npm run e2e
	@go test -timeout 45m ./...

.PHONY: pipelines
pipelines: tools scanners system ## run the workflows by act on the emulated environments (the better part of an hour)
	@go test -tags pipelines -timeout 90m ./test/pipelines

.PHONY: test-fast
test-fast: ## the tests that need no emulator, no database and no browser
	@go test -short ./...

.PHONY: golden
golden: synth ## fail if cdktf.out/ is not what the code gives
	@git diff --exit-code --stat -- cdktf.out || { \
	  echo "cdktf.out differs from what the code gives: review the difference and commit it" >&2; exit 1; }

.PHONY: scan
scan: tools ## judge the stacks, and the exceptions for images (SARIF=FILE for GitHub's code scanning)
	@hcl=$$(mktemp -d) && trap 'rm -rf "$$hcl"' EXIT && \
	  SYNTH_HCL_OUTPUT=true CDKTF_OUTDIR="$$hcl" go run . && \
	  go run ./cmd/scan -hcl "$$hcl/stacks" $(if $(SARIF),-sarif "$(SARIF)")
	@go run ./cmd/exceptions >/dev/null

.PHONY: bench
bench: tools ## measure synthesis: stock, fast and TypeScript side by side (minutes)
	@go run ./bench

.PHONY: load
load: ## put a steady load on what is up (RATE=20 FOR=3m)
	@go run ./bench/load $(if $(RATE),-rate $(RATE)) $(if $(FOR),-for $(FOR))

.PHONY: scaling
scaling: ## simulate how workers scale, and renew docs/scaling.md and its picture
	@go test ./test/scaling -update

.PHONY: plans
plans: tools $(packages) ## renew the plans and their reviews in internal/planreview/testdata, and the README's picture of one (minutes)
	@go test -timeout 30m ./test/live -run TestPlansForTheReview -update
	@go test ./internal/planreview -update
	@cd apps/web && node e2e/review.mjs ../../internal/planreview/testdata/database.md ../../docs/pictures/review.png

.PHONY: lint
lint: lint-go lint-apps lint-page lint-workflows ## all of the following

.PHONY: lint-go
lint-go: tools ## gofmt, go vet and golangci-lint on the platform
	@golangci-lint run ./...
	@cd test/pipelines/grypedb && golangci-lint run ./...

.PHONY: lint-apps
lint-apps: tools ## the same on the services
	@cd apps && golangci-lint run ./...

.PHONY: lint-page
lint-page: $(packages) ## ESLint and Prettier
	@cd apps/web && npm run --silent lint

.PHONY: lint-workflows
lint-workflows: tools ## actionlint and zizmor
	@tools/workflows.sh

.PHONY: fmt
fmt: tools $(packages) ## format the code
	@golangci-lint fmt ./...
	@cd apps && golangci-lint fmt ./...
	@cd apps/web && npm run --silent format

.PHONY: page
page: tools $(packages) ## build the page into apps/web/dist
	@cd apps/web && npm run --silent build

# npm writes this file last.
$(packages): apps/web/package-lock.json | tools
	@cd apps/web && npm ci --no-fund --no-audit --silent
	@touch $@
