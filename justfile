# Every developer command. `just` lists them.

_list:
    @just --list

# Show a built-in server being answered from cells
demo:
    cargo run --release -- demo

# Everything that CI runs
ci:
    bash .ci/run

# The README's two commands as a new user of a fresh machine; needs root
clean-room:
    bash .ci/clean-room

# All tests, or those whose name holds FILTER
test *FILTER:
    cargo test --workspace -- {{ FILTER }}

# Format the host, the tests and the guests
fmt:
    cargo fmt --all
    for guest in guest-examples/*/Cargo.toml tests/guests/*/Cargo.toml; do (cd "${guest%/*}" && cargo fmt); done

lint:
    cargo clippy --workspace --all-targets -- -D warnings

# Check the spelling of everything; `just spelling --write-changes` corrects it
spelling *OPTIONS:
    .ci/spelling {{ OPTIONS }}

# List the names that several types share; CONTRIBUTING.md says which may
one-word:
    .ci/one-word

# Compile the library with each of its features alone
features:
    .ci/features

# Hold the dependencies of every workspace against deny.toml
deny:
    bash .ci/deny

docs:
    RUSTDOCFLAGS="-D warnings" cargo doc --workspace --lib --no-deps

# Renew the list of the public interface, host/taskcell/public-api.txt
public-api:
    bash .ci/public-api --bless

# Assemble the adapter for Go from its source and embed it
go-adapter:
    TASKCELL_BLESS=1 cargo test -p taskcell-tests --test docs -- go_adapter

# Build the embedded handlers, stock and ask, from their sources and embed them
stock:
    TASKCELL_BLESS=1 cargo test -p taskcell-tests --test docs -- stock

# Fuzz TARGET for SECONDS; docs/fuzzing.md says which there are and what to install
fuzz TARGET SECONDS:
    fuzz/run {{ TARGET }} {{ SECONDS }}

# The benches: requests, ratios to the floor, ten thousand waiting cells
bench:
    cargo bench -p taskcell -p taskcell-rmcp

# A mixed load, a tenth of it hostile, for so long: does anything grow?
soak MINUTES="15":
    cargo run --release -p taskcell-tests --bin soak -- {{ MINUTES }}

# By how much a run grows that is asked COUNT pings
pings COUNT="1500000":
    cargo build --release -p taskcell-cli -p taskcell-tests --bin taskcell --bin tool-server
    target/release/taskcell run -q --timeout 600 --tool pings --arg count={{ COUNT }} -- target/release/tool-server

# What the program holds and how long it takes under hostile servers; of another BINARY, too
hostile-figures *BINARY:
    cargo build --workspace --bins
    cargo run -p taskcell-tests --bin hostile-figures -- {{ BINARY }}

# What a check of an answer against a costly form takes, and pings beside it
form-cost:
    cargo run --release -p taskcell-tests --bin form-cost

# The Python and TypeScript SDKs on the same two requests, beside taskcell
bench-peers:
    cargo bench -p taskcell --bench peers

# The gateway beside the server alone, a bare pipe and other gateways, request by request in turns
bench-gateway:
    cargo build --release -p taskcell-cli -p taskcell-tests --bin taskcell --bin bench-gateway
    target/release/bench-gateway target/release/taskcell

# The book of docs/, under target/book; needs `cargo install mdbook --version 0.5.4 --locked`
book:
    mdbook build
