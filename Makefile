# Checks. `make test` is what every change must pass; `make verify` takes longer.

CARGO ?= cargo
SEEDS ?= 10000
FUZZ_SECONDS ?= 60

# A snapshot that differs is a failure, never a new file.
export INSTA_UPDATE ?= no

FULL := --features full
NONE := --no-default-features

.PHONY: all test deps fmt lint doc doctest unit verify fuzz swarm

all:
	$(CARGO) build --release $(FULL)

test: deps fmt lint doc doctest unit

# The feature `hwloc` links against libhwloc 2 and finds it by pkg-config.
deps:
	@if pkg-config --exists 'hwloc >= 2.0' 2>/dev/null; then exit 0; fi; \
	if ! command -v apt-get >/dev/null; then \
		echo 'make: libhwloc 2 with its headers and pkg-config are needed to read the topology' >&2; \
		echo '      (Debian: pkg-config libhwloc-dev; Fedora: pkgconf hwloc-devel; macOS: pkgconf hwloc)' >&2; \
		exit 1; \
	fi; \
	echo 'make: installing pkg-config and libhwloc-dev, which the feature hwloc is built against'; \
	if [ "$$(id -u)" = 0 ]; then sudo=; else sudo=sudo; fi; \
	$$sudo apt-get update -q && \
	$$sudo env DEBIAN_FRONTEND=noninteractive \
		apt-get install -qy --no-install-recommends pkg-config libhwloc-dev

fmt:
	$(CARGO) fmt --check

lint:
	$(CARGO) clippy --locked --all-targets $(FULL) -- -D warnings
	$(CARGO) clippy --locked $(NONE) -- -D warnings

doc:
	RUSTDOCFLAGS='-D warnings' $(CARGO) doc --locked --no-deps $(FULL)

doctest:
	$(CARGO) test --locked --doc $(FULL)

# With EVENKEEL_DATA set to the folder of test data, published instances are checked as well.
unit:
	@if $(CARGO) nextest --version >/dev/null 2>&1; then \
		$(CARGO) nextest run --locked $(FULL); \
	else \
		$(CARGO) test --locked --lib --bins --tests --examples $(FULL); \
	fi

verify: test fuzz swarm

# Each target for a while, from what was found before (tests/corpus); what it finds stays in
# fuzz/artifacts. The hostile files there are large, and tests read them whole: longer inputs
# would only make the fuzzer slow.
fuzz:
	@command -v cargo-fuzz >/dev/null || \
		{ echo 'make: needs cargo-fuzz (cargo install cargo-fuzz) and a nightly toolchain' >&2; exit 1; }
	set -e; for target in $$($(CARGO) +nightly fuzz list); do \
		mkdir -p fuzz/corpus/$$target; \
		found=$$(ls -d tests/corpus/$$target 2>/dev/null || true); \
		$(CARGO) +nightly fuzz run $$target fuzz/corpus/$$target $$found -- \
			-max_total_time=$(FUZZ_SECONDS) -max_len=4096; \
	done

# Simulations with faults, each from its own seed; a seed that breaks a promise is printed.
swarm:
	$(CARGO) run --locked --release --example swarm -- 0 $(SEEDS)
