# Everything here is a plain command; `make` only spares typing.

CARGO ?= cargo
# A configuration for `make run`; without one, the environment and `sim`.
CONFIG ?=
# Seconds per target of `make fuzz`.
SECONDS_EACH ?= 60

.PHONY: help run test unit sdk examples bench install lint deny fuzz

help:
	@echo 'make run       build and serve on http://127.0.0.1:8080  (CONFIG=file.yaml)'
	@echo 'make test      every test: unit, end to end, architecture, official SDKs'
	@echo 'make bench     the load bench and the benches of the filters, on release builds'
	@echo 'make install   put lockgate into the folder of cargo programs'
	@echo 'make lint      formatting, clippy, documentation, dependencies'
	@echo 'make fuzz      every fuzz target for a while  (SECONDS_EACH=60)'

# The dev profile: it is there sooner than a release, and fast enough to try things, as dependencies are optimised there
# too. To serve in earnest, `make install`.
run:
	@.ci/need cc cmake
	$(CARGO) run --locked -- serve $(if $(CONFIG),--config $(CONFIG))

test: unit sdk examples

unit:
	@.ci/need cc cmake
	@if $(CARGO) nextest --version >/dev/null 2>&1; then set -x; $(CARGO) nextest run --locked --workspace; \
	 else set -x; $(CARGO) test --locked --workspace; fi

# The binary as `unit` builds it: `cargo build` alone would choose other features of shared dependencies, and build
# half the tree again.
BUILT = $(CARGO) test --locked --workspace --no-run --quiet

# The official SDKs against the real binary.
sdk:
	@.ci/need cc cmake python3 node npm
	$(BUILT)
	tests/sdk/run.sh

# Every example configuration passes `lockgate check`.
examples:
	@.ci/need cc cmake
	$(BUILT)
	deploy/check.sh target/debug/lockgate

bench:
	@.ci/need cc cmake
	$(CARGO) build --locked --release --workspace --bins
	target/release/bench --gateway target/release/lockgate --out target/bench/summary.json
	$(CARGO) bench --locked -p lockgate-filters --bench '*'

install:
	@.ci/need cc cmake
	$(CARGO) install --path . --locked

lint: deny
	$(CARGO) fmt --all --check
	$(CARGO) clippy --locked --workspace --all-targets --all-features -- -D warnings
	RUSTDOCFLAGS=-Dwarnings $(CARGO) doc --locked --workspace --no-deps

# Licences, duplicates, sources. `.ci/run` installs cargo-deny and looks at advisories too.
deny:
	@if $(CARGO) deny --version >/dev/null 2>&1; then set -x; $(CARGO) deny check licenses bans sources; \
	 else echo 'cargo-deny is not installed: dependencies are not checked (cargo install cargo-deny --locked)' >&2; fi

fuzz:
	@.ci/need cc cmake
	fuzz/run.sh $(SECONDS_EACH)
