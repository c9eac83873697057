# Bare `make` lists the targets.
.DEFAULT_GOAL := help
GO ?= go
VENV := .venv
# A cage shows no virtual environment below a /tmp, which it has for itself.
JUDGE := $(HOME)/.cache/fairlead/judge
LINT := bin/golangci-lint
LINT_VERSION := v2.15.0

UI := internal/web/ui

.PHONY: help build ui demo test short lint clients moto judge console console-bench pictures calls bench peers campaign fuzz clean

help: ## list the targets
	@awk -F':.*## ' '/^[a-z-]+:.*## / {printf "  %-13s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

build: ## build bin/fairlead
	CGO_ENABLED=0 $(GO) build -trimpath -ldflags="-s -w" -o bin/fairlead ./cmd/fairlead

# The bundle is committed, so that Go alone builds the binary. A conflict in it
# is settled by building it anew.
ui: ## build the console's pages into internal/web/dist
	cd $(UI) && npm ci --no-audit --no-fund --loglevel=error && npm run --silent build

demo: ## build and run the main job: serve, run an example to SUCCESS
	$(GO) run ./cmd/fairlead demo

test: ## vet, and run all Go tests
	$(GO) vet ./...
	$(GO) test -timeout 30m ./...

short: ## the quick part of the tests
	$(GO) test -short ./...

lint: $(LINT) ## run golangci-lint
	$(LINT) run

$(LINT):
	GOBIN=$(CURDIR)/bin $(GO) install github.com/golangci/golangci-lint/v2/cmd/golangci-lint@$(LINT_VERSION)

$(VENV)/ready: clients/requirements.txt
	python3 -m venv $(VENV)
	$(VENV)/bin/pip install --quiet --disable-pip-version-check --requirement clients/requirements.txt
	touch $@

JS := clients/js
$(JS)/node_modules/.package-lock.json: $(JS)/package-lock.json
	cd $(JS) && npm ci --no-audit --no-fund --loglevel=error

clients: build $(VENV)/ready $(JS)/node_modules/.package-lock.json ## drive a real server with boto3, the AWS CLI and the SDK for JavaScript
	cd clients && FAIRLEAD=$(CURDIR)/bin/fairlead ../$(VENV)/bin/python -B -m pytest
	cd $(JS) && FAIRLEAD=$(CURDIR)/bin/fairlead node --test omics.test.mjs

# In an environment of its own: what moto brings along is no business of the clients.
MOTO := $(VENV)-moto
$(MOTO)/ready: clients/moto.txt
	python3 -m venv $(MOTO)
	$(MOTO)/bin/pip install --quiet --disable-pip-version-check --requirement clients/moto.txt
	touch $@

moto: build $(MOTO)/ready ## run AWS operators and the examples against an emulator of AWS
	cd clients && FAIRLEAD=$(CURDIR)/bin/fairlead ../$(MOTO)/bin/python -B -m pytest test_moto.py test_moto_events.py

CONSOLE := clients/console
$(CONSOLE)/node_modules/.package-lock.json: $(CONSOLE)/package-lock.json
	cd $(CONSOLE) && npm ci --no-audit --no-fund --loglevel=error

console: build $(CONSOLE)/node_modules/.package-lock.json ## drive the console in Chromium, against a real server
	cd $(CONSOLE) && FAIRLEAD=$(CURDIR)/bin/fairlead node --test --test-concurrency=1 *.test.mjs

console-bench: build $(CONSOLE)/node_modules/.package-lock.json ## measure the console in Chromium
	cd $(CONSOLE) && for f in *.bench.mjs; do FAIRLEAD=$(CURDIR)/bin/fairlead node $$f || exit 1; done

pictures: build $(CONSOLE)/node_modules/.package-lock.json ## take the pictures of the console that the README shows
	cd $(CONSOLE) && FAIRLEAD=$(CURDIR)/bin/fairlead node pictures.mjs

calls: $(VENV)/ready ## generate the functions that call AWS anew, from the operators' data
	$(VENV)/bin/pip install --quiet --disable-pip-version-check botocore==1.43.1 --target $(VENV)/botocore
	$(GO) run ./internal/operator/awscall/gen -botocore $(VENV)/botocore/botocore
judge: build $(VENV)/ready ## hold the stand-in for Airflow against Airflow, which is installed for it
	[ -x $(JUDGE)/bin/python ] || python3 -m venv $(JUDGE)
	$(JUDGE)/bin/pip install --quiet --disable-pip-version-check --requirement clients/judge.txt
	cd clients && FAIRLEAD=$(CURDIR)/bin/fairlead FAIRLEAD_AIRFLOW=$(JUDGE)/bin/python ../$(VENV)/bin/python -B -m pytest test_judge.py

bench: build ## measure the binary; each number beside its control
	$(GO) run ./bench

peers: ## the same two jobs on other durable workflow engines
	python3 -B bench/peers/run.py

campaign: ## kill the server, cut the power and simulate worlds, many more than the tests do
	FAIRLEAD_KILLS=1000 $(GO) test ./cmd/fairlead -run 'Kill' -count 1 -timeout 60m -v
	FAIRLEAD_CUTS=2000 $(GO) test ./internal/store -run 'TestPowerCuts' -count 1 -timeout 60m -v
	FAIRLEAD_ATTEMPTS=1000 $(GO) test ./internal/exec/sandbox -run 'TestNothingIsLeft' -count 1 -timeout 60m -v
	FAIRLEAD_SEEDS=1000000 $(GO) test ./internal/sim -run 'TestSeeds' -count 1 -timeout 24h -v

fuzz: ## fuzz every parser for a minute each
	@for pkg in $$($(GO) list ./...); do \
	  for f in $$($(GO) test -list '^Fuzz' $$pkg | grep '^Fuzz'); do \
	    echo "== $$pkg $$f"; $(GO) test $$pkg -run '^$$' -fuzz "^$$f$$" -fuzztime 60s || exit 1; \
	  done; done

clean: ## remove what the targets made
	rm -rf bin $(VENV) $(MOTO)
