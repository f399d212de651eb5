#!/bin/sh
# The example in Node, tried with a real one: sh tests/node.sh
#
# Beside `tests/run.sh`, because nothing else here needs Node.
set -eu
cd "$(dirname "$0")/.."
command -v node >/dev/null 2>&1 || {
    echo 'tests/node.sh: node is missing; on Debian: apt-get install --no-install-recommends nodejs' >&2
    exit 1
}
cargo build --locked --bins --examples
cargo test --locked --test suite -- --ignored --exact lease::status::a_server_in_node_takes_requests_while_its_lease_is_valid \
    lease::status::what_a_listener_in_node_throws_says_nothing_of_the_lease
