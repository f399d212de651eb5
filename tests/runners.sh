#!/bin/sh
# Every migration tool that can be had, tried as a runner, and a table of what was: sh tests/runners.sh
#
# Beside `tests/run.sh`, which has installed the tools for Python by then (target/runners), because Knex and node-pg-migrate need Node,
# and Rails needs Ruby.
set -eu
cd "$(dirname "$0")/.."
for program in node npm; do
    command -v "$program" >/dev/null 2>&1 || {
        echo "tests/runners.sh: $program is missing; on Debian: apt-get install --no-install-recommends nodejs npm" >&2
        exit 1
    }
done
ruby -e 'require "rails"; require "active_record"; require "pg"' 2>/dev/null || {
    echo 'tests/runners.sh: Rails is missing; on Debian: apt-get install --no-install-recommends ruby-railties ruby-activerecord ruby-pg' >&2
    exit 1
}
[ -x target/runners/bin/alembic ] || {
    echo 'tests/runners.sh: the tools for Python are missing: sh tests/run.sh --test suite runners:: installs them' >&2
    exit 1
}
mkdir -p target/runners-node
[ -x target/runners-node/node_modules/.bin/knex ] ||
    (cd target/runners-node && npm install --no-save --ignore-scripts --no-audit --no-fund knex@3 pg@8 node-pg-migrate@9)
cargo build --locked --bins --examples
said=target/runners-node/said.txt
status=0
cargo test --locked --test suite runners:: -- --include-ignored >"$said" 2>&1 || status=$?
grep -v '^test runners::' "$said" | tail -n 40
echo
printf '%-72s %s\n' TRIED RESULT
sed -n 's/^test runners::\([^ ]*\).* \.\.\. \(ok\|FAILED\).*/\1 \2/p' "$said" | sort | while read -r name result; do
    printf '%-72s %s\n' "$name" "$result"
done
for tool in 'prisma: downloads its engine' 'flyway, golang-migrate: in no registry of packages that is reached' \
    'liquibase, drizzle, typeorm: no way to name one revision'; do
    printf '%-72s %s\n' "$tool" 'not run'
done
exit "$status"
