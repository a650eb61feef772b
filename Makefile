# `make demo` shows what it does; `make test` is what every change must pass. Both install what is
# missing, where there is apt-get; `make` and `make install` only name it. `make verify` takes
# longer.

CARGO ?= cargo
SEEDS ?= 1000000
FUZZ_SECONDS ?= 60
SOAK_SECONDS ?= 600

# A snapshot that differs is a failure, never a new file.
export INSTA_UPDATE ?= no

# libclang without headers of its own (a wheel, a bare package) takes those of the C compiler.
export BINDGEN_EXTRA_CLANG_ARGS ?= -idirafter $(shell cc -print-file-name=include 2>/dev/null)

FULL := --features full
NONE := --no-default-features

# The MPI to build against is the one of `mpicc`, or of the wrapper that MPICC names. Demo and
# tests take Open MPI where MPICC names none: only there the others outlive a rank that dies.
GIVEN := $(MPICC)
MPICC ?= mpicc
OPEN_MPI = $(or $(GIVEN),$(shell mpicc --showme:version >/dev/null 2>&1 || echo mpicc.openmpi),mpicc)
demo test: MPICC = $(OPEN_MPI)

# What was built against one MPI is not built again when MPICC names another: a folder for each.
ROOT := $(or $(CARGO_TARGET_DIR),target)
FOLDER = $(ROOT)/$(if $(shell $(MPICC) --showme:version 2>/dev/null),openmpi,mpich)
IN_FOLDER = MPICC=$(MPICC) CARGO_TARGET_DIR=$(FOLDER)

NEXTEST = $(shell $(CARGO) nextest --version >/dev/null 2>&1 && echo nextest run || echo test)
MPI_TESTS := --test cluster --test mpi --test comm

.PHONY: all install demo test deps-demo deps-test fmt lint doc doctest unit mpich without-mpi verify hosts models soak tsan fuzz swarm trees
.NOTPARALLEL:

all:
	@.ci/needs cc hwloc libclang mpi
	$(IN_FOLDER) $(CARGO) build --locked --release $(FULL)

# Into PREFIX/bin, ~/.cargo/bin unless it is given.
install: all
	$(IN_FOLDER) $(CARGO) install --locked --path . $(FULL) $(if $(PREFIX),--root $(PREFIX))

demo: deps-demo
	$(IN_FOLDER) $(CARGO) build --locked --release $(FULL)
	$(FOLDER)/release/evenkeel demo

test: deps-test fmt lint doc doctest unit $(if $(GIVEN),,mpich) without-mpi

# Targets of their own, since make works out all lines of a recipe before it runs the first: which
# MPI there is can be asked only after this.
deps-demo:
	@.ci/needs --install cc hwloc libclang $(if $(GIVEN),mpi,openmpi)

deps-test:
	@.ci/needs --install cc hwloc libclang $(if $(GIVEN),mpi,openmpi mpich)

fmt:
	$(CARGO) fmt --check

lint:
	$(IN_FOLDER) $(CARGO) clippy --locked --all-targets $(FULL) -- -D warnings
	$(IN_FOLDER) $(CARGO) clippy --locked $(NONE) -- -D warnings

doc:
	RUSTDOCFLAGS='-D warnings' $(IN_FOLDER) $(CARGO) doc --locked --no-deps $(FULL)

doctest:
	$(IN_FOLDER) $(CARGO) test --locked --doc $(FULL)

# With EVENKEEL_DATA set to the folder of test data, published instances are checked as well.
unit:
	$(IN_FOLDER) $(CARGO) $(NEXTEST) --locked --lib --bins --tests --examples $(FULL)

# What concerns MPI, under the other one.
mpich: MPICC = mpicc.mpich
mpich:
	$(IN_FOLDER) $(CARGO) $(NEXTEST) --locked $(FULL) $(MPI_TESTS)

# A build without MPI is to notice that it runs under a launcher.
without-mpi:
	$(IN_FOLDER) $(CARGO) $(NEXTEST) --locked --test mpi

verify: test hosts models soak tsan fuzz swarm trees

# Several hosts out of this machine, and a Slurm on them: what fails on them for long, under both
# MPIs. What it needs for that and does not find it says, and leaves out.
hosts: MPICC = $(OPEN_MPI)
hosts:
	$(IN_FOLDER) $(CARGO) test --locked $(FULL) --test cluster -- --ignored --nocapture --test-threads=1
	$(if $(GIVEN),,$(MAKE) hosts MPICC=mpicc.mpich)

# Whether the models of the pool notice each ordering, fence and comparison that is left out.
models:
	$(CARGO) test --locked --test models -- --ignored

# Pools that come and go under random programs, with panics and cancellation, for a while.
soak:
	EVENKEEL_SOAK_SECONDS=$(SOAK_SECONDS) $(CARGO) test --locked --release --test pool soak:: -- --ignored --nocapture

# Random programs, and pools that end under them, with ThreadSanitizer. What it takes for a race and
# is none is named in tests/pool/tsan.supp. It comes with the nightly toolchain.
SANITIZED := x86_64-unknown-linux-gnu
tsan:
	@if $(CARGO) +nightly --version >/dev/null 2>&1; then set -x; \
		TSAN_OPTIONS="exitcode=66 history_size=4 suppressions=$(CURDIR)/tests/pool/tsan.supp" \
		RUSTFLAGS='-Zsanitizer=thread -Cunsafe-allow-abi-mismatch=sanitizer' \
		CARGO_TARGET_DIR=$(ROOT)/tsan $(CARGO) +nightly test --locked $(NONE) --target $(SANITIZED) \
			--test pool -- random:: soak:: --test-threads=1; \
	else echo 'make: NOT RUN: ThreadSanitizer needs a nightly toolchain (rustup toolchain install nightly)' >&2; fi

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

# The published counts of unbalanced trees, a hundred times each, also by more workers than cores,
# and by workers that are held up at random.
TIMES ?= 100
trees:
	set -e; for tree in T1 T2 T3 T5; do \
		$(CARGO) run --locked --release --example uts -- $$tree $(TIMES) 1 2 4 8; \
		$(CARGO) run --locked --release --example uts -- $$tree $(TIMES) 1 2 4 8 delayed; \
	done

# Simulations with faults, each from its own seed; a seed that breaks a promise is printed. A
# million takes about ten minutes on two cores.
swarm:
	$(CARGO) run --locked --release --example swarm -- 0 $(SEEDS)
