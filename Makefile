# One command for each thing one does here; `make` lists them. What is missing is installed into a
# cache outside the checkout, except Rust, Go and make themselves.

SHELL := bash
.SHELLFLAGS := -eu -o pipefail -c
.DEFAULT_GOAL := help

OWN_VERSION := $(shell sed -n 's/^version = "\(.*\)"$$/\1/p' Cargo.toml | head -n 1)

CARGO ?= cargo
CACHE ?= $${XDG_CACHE_HOME:-$$HOME/.cache}/provider-secrets
# Where rendered manifests are put.
DIST ?= dist

CARGO_DENY_VERSION := 0.20.2
CARGO_DENY_ROOT = $(CACHE)/tools/cargo-deny-$(CARGO_DENY_VERSION)

MDBOOK_VERSION := 0.5.4
MDBOOK_ROOT = $(CACHE)/tools/mdbook-$(MDBOOK_VERSION)
HYPERLINK_VERSION := 0.3.2
HYPERLINK_ROOT = $(CACHE)/tools/hyperlink-$(HYPERLINK_VERSION)
# The site, and the copy of docs/ that it is made of.
SITE := dist/site
SITE_SOURCE := dist/site-source

TINYPROXY = $(CACHE)/tools/tinyproxy

PYTHON ?= python3
CONTRACT := tests/contract

IMAGE ?= provider-secrets/provider-secrets:$(OWN_VERSION)
IMAGE_TARGET ?= x86_64-unknown-linux-gnu
# The files of the image; the Dockerfile knows this folder.
IMAGE_ROOT := dist/image
# The certificate authorities that the image trusts; the machine's own unless given.
CA_BUNDLE ?=

# The platforms of the plugin, by the names that Rust has for them.
PLUGIN_TARGETS ?= x86_64-unknown-linux-musl aarch64-unknown-linux-musl x86_64-apple-darwin aarch64-apple-darwin
# Programs that are packed in place of new ones: linux_amd64=PATH and the like.
PLUGIN_PROGRAMS ?=

# A step of a longer target, announced.
step = printf '\n==> %s\n' "$(1)" >&2

define need-rust
@command -v $(CARGO) >/dev/null || { echo 'Rust is missing: install it with rustup, https://rustup.rs' >&2; exit 1; }
endef

# The cluster helper compiles what it needs with Go, unless the user brings the programs.
define need-go
@[ -n "$${KUBEBUILDER_ASSETS:-}" ] || command -v go >/dev/null || { echo 'Go is missing: install Go 1.26 or newer, https://go.dev/dl' >&2; exit 1; }
endef

# Without Helm and the controllers, what setup-envtest has installed is enough; the cluster helper
# says whether it is a version that serves.
define need-control-plane
@[ -n "$${KUBEBUILDER_ASSETS:-}" ] || command -v go >/dev/null \
  || compgen -G "$${XDG_DATA_HOME:-$$HOME/.local/share}/kubebuilder-envtest/k8s/*/kube-apiserver" >/dev/null \
  || compgen -G "$$HOME/Library/Application Support/io.kubebuilder.envtest/k8s/*/kube-apiserver" >/dev/null \
  || { echo 'Go is missing: install Go 1.26 or newer, https://go.dev/dl' >&2; exit 1; }
endef

# A program of a crate, its version and its folder in the cache, and flags of its own.
define install
if [ ! -x "$(3)/bin/$(1)" ]; then \
  $(call step,installing $(1) $(2): takes a minute or more and happens once); \
  CARGO_PROFILE_DEV_DEBUG=0 $(CARGO) install $(1) --debug --version $(2) --locked --root "$(3)" $(4); \
fi
endef

# Of a toolchain without rustup, the components are the user's business.
define need-component
@$(CARGO) $(1) --version >/dev/null 2>&1 || rustup component add $(2) || { echo 'cargo $(1) is missing: install the Rust component $(2)' >&2; exit 1; }
endef

##@ First

.PHONY: help
help: ## List the targets
	@awk 'BEGIN { FS = ":.*## " } \
	  /^##@ / { printf "\n%s\n", substr($$0, 5) } \
	  /^[a-z-]+:.*## / { printf "  make %-15s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

# The operator without its allocator, which a C compiler would need minutes for.
DEMO := --locked --no-default-features --package provider-secrets-demo

.PHONY: demo
demo: ## Watch secrets go into all four providers; KEEP=1 leaves everything running
	$(need-rust)
	$(need-control-plane)
	@$(call step,building the operator and the demo: takes about 3 minutes the first time)
	@$(CARGO) build $(DEMO) --package provider-secrets --bins
	@KEEP='$(KEEP)' $(CARGO) run --quiet $(DEMO)

.PHONY: cluster
cluster: ## Run a Kubernetes control plane for work by hand, until Ctrl-C
	$(need-rust)
	$(need-go)
	@$(CARGO) run --quiet --locked --package provider-secrets-cluster -- start

##@ Development

.PHONY: build
build: ## Build the operator
	$(need-rust)
	@$(CARGO) build --locked --bin provider-secrets

# Our own code, which takes two thirds of the time away that the fault tests need. To compile it so takes
# two minutes more, so a test that is run by hand is compiled without.
OPTIMIZED := --config profile.test.package.provider-secrets.opt-level=2 --config profile.test.package.provider-secrets-simulator.opt-level=2

# Most tests wait for something: more of them at once than there are cores.
TEST_THREADS := $${RUST_TEST_THREADS:-16}

.PHONY: test
test: programs tinyproxy lint docs ## Everything that must pass: lint, documentation, unit and integration tests
	@$(call step,documentation)
	@RUSTDOCFLAGS=-Dwarnings $(CARGO) doc --workspace --no-deps --locked
	@$(call step,tests)
	@# With traces, which nothing makes without their flag, so that all is compiled once.
	@RUST_TEST_THREADS=$(TEST_THREADS) $(CARGO) test --workspace --all-features --locked $(OPTIMIZED)

# A minor version of Kubernetes; ONLY is a part of the names of the tests, such as api::.
KUBERNETES := 1.33 1.34 1.35 1.36
VERSION ?=

.PHONY: test-kubernetes
test-kubernetes: programs ## Integration tests on one Kubernetes: VERSION=1.33, 1.34, 1.35 or 1.36
	@[ -n '$(filter $(KUBERNETES),$(VERSION))' ] || { echo 'VERSION is one of: $(KUBERNETES)' >&2; exit 1; }
	@PROVIDER_SECRETS_TEST_KUBERNETES='$(VERSION)' RUST_TEST_THREADS=$(TEST_THREADS) \
	  $(CARGO) test --test it --all-features --locked $(OPTIMIZED) -- $(ONLY)

# Before anything else, so that nobody waits for minutes to hear it.
.PHONY: programs
programs:
	$(need-rust)
	$(need-go)

# The tests send requests through a real proxy. Where none is installed, its package is unpacked into the cache.
.PHONY: tinyproxy
tinyproxy:
	@command -v tinyproxy >/dev/null || [ -x "$(TINYPROXY)/usr/bin/tinyproxy" ] || { \
	  $(call step,fetching tinyproxy); \
	  command -v apt-get >/dev/null && command -v dpkg >/dev/null || { echo 'tinyproxy is missing: install it, https://tinyproxy.github.io' >&2; exit 1; }; \
	  mkdir -p "$(TINYPROXY)" && cd "$(TINYPROXY)"; \
	  apt-get download -qq tinyproxy-bin || { apt-get update -qq && apt-get download -qq tinyproxy-bin; }; \
	  dpkg -x tinyproxy-bin_*.deb .; \
	}

# Objects; ONLY names scenarios, with commas between them.
N ?= 1000
ONLY ?=
JSON ?= target/bench-$(N).json

.PHONY: bench
bench: programs ## Measure speed and cost of the release build: N=1000 objects, ONLY=rotation,rest
	@$(CARGO) build --locked --release --bin provider-secrets
	@$(CARGO) test --quiet --locked --profile harness --bench scale -- --binary target/release/provider-secrets \
	  --objects '$(N)' $(if $(ONLY),--only '$(ONLY)') --json '$(JSON)' \
	  $(if $(filter benches/results/%,$(JSON)),--plots docs/performance) \
	  --commit "$$(git describe --always --dirty --abbrev=7 --exclude='*' 2>/dev/null || echo unknown)"

# Hours of simulated time, and objects.
HOURS ?= 24
OBJECTS ?= 1000

.PHONY: soak
soak: ## Simulate a day with 1,000 objects, failures and changes of the leader: HOURS=24 OBJECTS=1000
	$(need-rust)
	@PROVIDER_SECRETS_TEST_SOAK='$(HOURS)x$(OBJECTS)' \
	  $(CARGO) test --test it --all-features --locked $(OPTIMIZED) -- --test-threads=1 soak

# Without a key of a provider nothing is checked there, which is said and is no failure.
PROVIDER ?= baseten primeintellect pipecat braintrust

.PHONY: conformance
conformance: ## Check real accounts: PROVIDER=baseten with its API key in the environment
	$(need-rust)
	@for provider in $(PROVIDER); do \
	  $(CARGO) run --quiet --locked --package provider-secrets-conformance -- "$$provider"; \
	done

# The clients' environment is another one where their pins or the interpreter are.
.PHONY: contract
contract: ## Check the simulator with the vendors' own clients; needs Python and the network
	$(need-rust)
	@$(PYTHON) -c 'import ensurepip, sys, venv; sys.exit(sys.version_info < (3, 11))' 2>/dev/null || { echo 'Python is missing: install Python 3.11 or newer with venv, or give PYTHON=…' >&2; exit 1; }
	@environment="$(CACHE)/contract-$$($(PYTHON) -c 'import hashlib, pathlib, sys; print(hashlib.sha256(pathlib.Path("$(CONTRACT)/requirements.txt").read_bytes() + sys.version.encode()).hexdigest()[:16])')"; \
	  if [ ! -e "$$environment/complete" ]; then \
	    $(call step,installing the clients: takes a minute or two and happens once); \
	    rm -rf "$$environment"; \
	    $(PYTHON) -m venv "$$environment"; \
	    "$$environment/bin/pip" install --quiet --disable-pip-version-check --require-hashes --requirement $(CONTRACT)/requirements.txt; \
	    touch "$$environment/complete"; \
	  fi; \
	  $(CARGO) build --quiet --locked --package provider-secrets-simulator --bin simulator --target-dir target; \
	  "$$environment/bin/python" -B $(CONTRACT)/drive.py target/debug/simulator

# cargo-fuzz needs a nightly compiler; `make test` replays the corpus without one.
TARGET ?= answers

.PHONY: fuzz
fuzz: ## Fuzz until something is found: TARGET=answers, resource, retry_after or template
	$(need-rust)
	@command -v cargo-fuzz >/dev/null || { echo 'cargo-fuzz is missing: cargo install cargo-fuzz, and rustup toolchain install nightly' >&2; exit 1; }
	@mkdir -p 'fuzz/found/$(TARGET)'
	@$(CARGO) +nightly fuzz run '$(TARGET)' 'fuzz/found/$(TARGET)' 'fuzz/corpus/$(TARGET)'

.PHONY: lint
lint: fmt-check clippy deny ## Check format, lints and dependencies

.PHONY: fmt
fmt: ## Format the code
	$(need-rust)
	$(call need-component,fmt,rustfmt)
	@$(CARGO) fmt --all

.PHONY: fmt-check
fmt-check:
	$(need-rust)
	$(call need-component,fmt,rustfmt)
	@$(call step,format)
	@$(CARGO) fmt --all --check

.PHONY: clippy
clippy: fmt-check
	$(call need-component,clippy,clippy)
	@$(call step,clippy)
	@$(CARGO) clippy --workspace --all-targets --locked -- -D warnings
	@$(CARGO) clippy --package provider-secrets --all-targets --all-features --locked -- -D warnings

.PHONY: deny
deny: clippy
	@$(call install,cargo-deny,$(CARGO_DENY_VERSION),$(CARGO_DENY_ROOT))
	@$(call step,dependencies: versions and licences and sources)
	@"$(CARGO_DENY_ROOT)/bin/cargo-deny" --workspace --all-features --locked check bans licenses sources

.PHONY: crds
crds: ## Write the CustomResourceDefinition anew from the Rust types
	$(need-rust)
	@mkdir -p crds charts/provider-secrets/files '$(DIST)'
	@$(CARGO) run --quiet --locked --bin provider-secrets -- crds > '$(DIST)/crds.yaml'
	@cp '$(DIST)/crds.yaml' crds/providersecrets.yaml
	@cp '$(DIST)/crds.yaml' charts/provider-secrets/files/providersecrets.yaml
	@echo 'wrote crds/providersecrets.yaml and its copy in the chart' >&2

.PHONY: chart
chart: ## Write the README of the chart and deploy/kustomize anew from the chart
	$(need-rust)
	@WRITE_CHART=1 $(CARGO) test --quiet --locked --test it -- --exact \
	  install::kustomize::the_files_are_those_of_the_chart \
	  install::chart::suites::the_readme_is_what_helm_docs_writes
	@echo 'wrote charts/provider-secrets/README.md and deploy/kustomize/' >&2

.PHONY: schemas
schemas: ## Write tests/schemas/kubernetes/ anew from an API server of each version
	$(need-rust)
	@for version in $(KUBERNETES); do \
	  PROVIDER_SECRETS_TEST_KUBERNETES="$$version" WRITE_SCHEMAS=1 $(CARGO) test --quiet --locked --test it -- --exact \
	    install::chart::schemas::the_schemas_are_those_of_the_api_server; \
	done
	@echo 'wrote tests/schemas/kubernetes/' >&2

.PHONY: reasons
reasons: ## Write the runbooks, the alert rules and the table of reasons anew from docs/reasons.yaml
	$(need-rust)
	@WRITE_REASONS=1 $(CARGO) test --quiet --locked --test it -- --exact guards::reasons::everything_is_made_of_the_one_table
	@echo 'wrote docs/runbooks/, docs/reference.md and the alert rules of the chart' >&2

.PHONY: statuses
statuses: ## Write every status that the operator can write, and what Argo CD, Flux, Helm and kubectl make of it, anew
	$(need-rust)
	$(need-go)
	@WRITE_STATUSES=1 $(CARGO) test --quiet --locked --lib -- --exact controller::report::shapes::the_file_of_statuses_is_what_the_operator_can_write
	@WRITE_STATUSES=1 $(CARGO) test --quiet --locked --test it -- --exact gitops::health::four_tools_agree_on_every_status_that_the_operator_can_write
	@echo 'wrote tests/statuses.jsonl and docs/gitops/health.md' >&2

.PHONY: argocd
argocd: ## Record the test data of the Argo CD health check anew
	$(need-rust)
	$(need-go)
	@WRITE_ARGOCD=1 $(CARGO) test --quiet --locked --test it -- --exact gitops::argocd::recorded::the_operator_writes_what_the_test_data_has
	@echo 'wrote testdata below docs/gitops/argocd/' >&2
.PHONY: policies
policies: programs ## Write deploy/admission-policies.yaml anew from the chart
	@WRITE_POLICIES=1 $(CARGO) test --quiet --locked --test it -- --exact install::admission::plain_file::the_plain_file_holds_the_policies_of_the_chart
	@echo 'wrote deploy/admission-policies.yaml' >&2

.PHONY: reliability
reliability: ## Write docs/reliability.md anew from the tests
	$(need-rust)
	@WRITE_RELIABILITY=1 $(CARGO) test --quiet --locked --test it -- --exact guards::reliability::the_document_is_that_of_the_tests
	@echo 'wrote docs/reliability.md' >&2

.PHONY: figures
figures: ## Write the figures of the documents anew from the newest files in benches/results
	$(need-rust)
	@WRITE_FIGURES=1 $(CARGO) test --quiet --locked --test it -- --exact guards::figures::the_documents_publish_the_newest_figures_and_mark_what_is_missed
	@echo 'wrote README.md, docs/architecture.md, docs/comparison.md and docs/performance.md' >&2

.PHONY: docs
docs: ## Build the documentation as a site in dist/site, and check its links
	$(need-rust)
	@$(call install,mdbook,$(MDBOOK_VERSION),$(MDBOOK_ROOT),--no-default-features --features search)
	@$(call install,hyperlink,$(HYPERLINK_VERSION),$(HYPERLINK_ROOT))
	@docs/site.sh '$(CURDIR)/$(SITE_SOURCE)'
	@"$(MDBOOK_ROOT)/bin/mdbook" build '$(SITE_SOURCE)' --dest-dir '$(CURDIR)/$(SITE)' 2>&1 | tee '$(SITE_SOURCE)/said' >&2
	@! grep -E 'WARN|ERROR' '$(SITE_SOURCE)/said' || { echo 'mdBook warned' >&2; exit 1; }
	@"$(HYPERLINK_ROOT)/bin/hyperlink" --check-anchors '$(SITE)'

.PHONY: clean
clean: ## Remove what was built here; compiled tools stay in the cache
	@rm -rf '$(DIST)' $(IMAGE_ROOT)
	@if command -v $(CARGO) >/dev/null; then $(CARGO) clean; fi

##@ Release

NAMESPACE := provider-secrets-system

# Helm's own labels are left out, because these objects belong to no release.
.PHONY: manifests
manifests: ## Render dist/install.yaml and dist/crds.yaml for kubectl; REGISTRY=… has the image, HELM=… is another helm
	@if [ -z '$(HELM)' ] && ! command -v $(CARGO) >/dev/null; then echo 'Rust is missing: install it with rustup, https://rustup.rs, or give HELM=…' >&2; exit 1; fi
	@mkdir -p '$(DIST)'
	@helm='$(HELM)'; \
	  [ -n "$$helm" ] || helm="$$($(CARGO) run --quiet --locked --package provider-secrets-cluster -- tools helm | cut -d ' ' -f 2-)"; \
	  "$$helm" template provider-secrets charts/provider-secrets --namespace $(NAMESPACE) --skip-tests \
	    $(if $(REGISTRY),--set-string 'global.imageRegistry=$(REGISTRY)') > '$(DIST)/rendered.yaml'; \
	  { printf '%s\n' '---' 'apiVersion: v1' 'kind: Namespace' 'metadata:' '  name: $(NAMESPACE)' \
	      '  labels:' '    app.kubernetes.io/part-of: provider-secrets' \
	      '    pod-security.kubernetes.io/enforce: restricted'; \
	    sed -e '/^    app.kubernetes.io\/managed-by: Helm$$/d' -e '/^    helm.sh\/chart: /d' '$(DIST)/rendered.yaml'; \
	  } > '$(DIST)/install.yaml'; \
	  rm '$(DIST)/rendered.yaml'; \
	  cp crds/providersecrets.yaml '$(DIST)/crds.yaml'; \
	  echo 'wrote $(DIST)/install.yaml and $(DIST)/crds.yaml' >&2

.PHONY: image-root
image-root:
	$(need-rust)
	@if command -v rustup >/dev/null; then rustup target add $(IMAGE_TARGET); fi
	@$(call step,building the static release binary: takes minutes)
	@RUSTFLAGS='-C target-feature=+crt-static' \
	  PROVIDER_SECRETS_REVISION="$$(git describe --always --dirty --abbrev=12 --exclude='*' 2>/dev/null || echo unknown)" \
	  $(CARGO) build --locked --release --target $(IMAGE_TARGET) --target-dir target --bin provider-secrets
	@mkdir -p $(IMAGE_ROOT)
	@install -m 0555 target/$(IMAGE_TARGET)/release/provider-secrets $(IMAGE_ROOT)/provider-secrets
	@for bundle in '$(CA_BUNDLE)' /etc/ssl/certs/ca-certificates.crt /etc/pki/tls/certs/ca-bundle.crt /etc/ssl/cert.pem; do \
	    if [ -s "$$bundle" ]; then \
	      install -m 0444 "$$bundle" $(IMAGE_ROOT)/ca-certificates.crt; \
	      echo "certificate authorities: $$bundle" >&2; \
	      exit 0; \
	    fi; \
	  done; \
	  echo 'no certificate authorities were found: install ca-certificates or give CA_BUNDLE=…' >&2; exit 1

# Times are fixed, so that one binary gives one digest.
.PHONY: image
image: image-root ## Build the container image with buildah or docker; IMAGE=… names it
	@$(call step,image $(IMAGE))
	@if command -v buildah >/dev/null; then \
	    STORAGE_DRIVER="$${STORAGE_DRIVER:-vfs}" buildah build --isolation chroot --timestamp 0 --file Dockerfile --tag '$(IMAGE)' .; \
	  elif command -v docker >/dev/null && docker info >/dev/null 2>&1; then \
	    SOURCE_DATE_EPOCH=0 docker build --file Dockerfile --tag '$(IMAGE)' .; \
	  else \
	    echo 'neither buildah nor a running docker was found: install one of them' >&2; exit 1; \
	  fi

.PHONY: plugin
plugin: ## Build the plugin of kubectl and its krew manifest in dist/plugin; PLUGIN_TARGETS=… are the platforms
	$(if $(PLUGIN_PROGRAMS),,$(need-rust))
	@programs='$(PLUGIN_PROGRAMS)'; \
	  [ -n "$$programs" ] || programs="$$(CARGO='$(CARGO)' deploy/krew/build.sh $(PLUGIN_TARGETS))"; \
	  deploy/krew/pack.sh '$(DIST)/plugin' $$programs
