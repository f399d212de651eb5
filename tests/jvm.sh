#!/bin/sh
# What docs/library.md shows in Java, compiled and run: sh tests/jvm.sh
#
# Beside `tests/run.sh`, because nothing else here needs a JDK.
set -eu
cd "$(dirname "$0")/.."
command -v javac >/dev/null 2>&1 || {
    echo 'tests/jvm.sh: javac is missing; on Debian: apt-get install --no-install-recommends default-jdk-headless' >&2
    exit 1
}
cargo build --locked --bins --examples
cargo test --locked --test suite -- --ignored --exact lease::status::a_program_on_the_jvm_hears_of_its_lease
