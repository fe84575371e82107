# The front door. `just` alone lists the recipes; CI runs the same ones.

default:
    @just --list --unsorted

# Formatting, lints and documentation, without a warning.
check:
    cargo fmt --all --check
    cargo clippy --workspace --all-targets --locked -- -D warnings
    cargo clippy -p semblance-channels --no-default-features --lib --locked -- -D warnings
    RUSTDOCFLAGS="-D warnings" cargo doc --workspace --no-deps --locked

# The fast tests: the README's second command.
test:
    cargo test --workspace --locked

# The slow tests: crashes by the dozen, thousands of walks over damaged files. Built with optimisation.
slow:
    cargo test --workspace --locked --release --test crashes --test damage -- --ignored --test-threads=1

# Hostile schedules of channels, so many seeds from the first on (the book reports a run of ten thousand).
simulate seeds="10000" first="0":
    SEMBLANCE_SEEDS={{seeds}} SEMBLANCE_FIRST={{first}} cargo test -p semblance-channels --release --locked --test simulation -- hostile --nocapture

# The client and the ledger's suite on a real Fabric network, with Raft and with SmartBFT (needs FABRIC_BIN and FABRIC_CFG).
fabric:
    cargo test --locked -p semblance-fabric --test network
    SEMBLANCE_CONSENSUS=bft cargo test --locked -p semblance-fabric --test network
    cargo test --locked -p semblance-tests --test fabric
    SEMBLANCE_CONSENSUS=bft cargo test --locked -p semblance-tests --test fabric

# A benchmark, for example `just bench retrieval --cases cases.jsonl.gz --json`.
bench *arguments:
    cargo run --release --locked -p semblance-bench -- {{arguments}}

# Each fuzz target for so many seconds, or one of them (needs cargo-fuzz: `cargo install cargo-fuzz`).
fuzz seconds="60" target="":
    #!/usr/bin/env bash
    set -euo pipefail
    cd tests/fuzz
    # The sanitizers are unstable in the compiler we pin; this lets that one compiler use them, for fuzzing alone.
    export RUSTC_BOOTSTRAP=1
    # The same versions as everywhere in the house.
    cp ../../Cargo.lock .
    targets="{{target}}"
    if [ -z "$targets" ]; then targets="$(cargo fuzz list)"; fi
    for target in $targets; do
        mkdir -p "corpus/$target"
        cargo fuzz run "$target" "corpus/$target" "seeds/$target" -- -max_total_time={{seconds}} -rss_limit_mb=2048
    done

# Licences, bans and sources of all dependencies; advisories too where their database can be reached
# (needs cargo-deny: `cargo install cargo-deny`).
deny:
    .ci/deny

# The book, as HTML in docs/book (needs mdbook: `cargo install mdbook`).
book:
    mdbook build docs
