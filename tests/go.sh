#!/bin/sh
# What docs/library.md shows in Go, compiled and run: sh tests/go.sh
#
# Beside `tests/run.sh`, because nothing else here needs Go.
set -eu
cd "$(dirname "$0")/.."
command -v go >/dev/null 2>&1 || {
    echo 'tests/go.sh: go is missing; on Debian: apt-get install --no-install-recommends golang-go' >&2
    exit 1
}
cargo build --locked --bins --examples
cargo test --locked --test suite -- --ignored --exact lease::status::a_program_in_go_hears_of_its_lease
