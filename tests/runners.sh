#!/bin/sh
# Every migration tool that can be had, tried as a runner, and a table of what was: sh tests/runners.sh
#
# Beside `tests/run.sh`, which has installed the tools for Python by then (target/runners), because Knex, node-pg-migrate, Drizzle
# and TypeORM need Node, Liquibase needs Java (its archives come from npm), and Rails needs Ruby.
set -eu
cd "$(dirname "$0")/.."
for program in node npm; do
    command -v "$program" >/dev/null 2>&1 || {
        echo "tests/runners.sh: $program is missing; on Debian: apt-get install --no-install-recommends nodejs npm" >&2
        exit 1
    }
done
command -v java >/dev/null 2>&1 || {
    echo 'tests/runners.sh: java is missing; on Debian: apt-get install --no-install-recommends openjdk-17-jre-headless' >&2
    exit 1
}
ruby -e 'require "rails"; require "active_record"; require "pg"' 2>/dev/null || {
    echo 'tests/runners.sh: Rails is missing; on Debian: apt-get install --no-install-recommends ruby-railties ruby-activerecord ruby-pg' >&2
    exit 1
}
[ -x target/runners/bin/alembic ] || {
    echo 'tests/runners.sh: the tools for Python are missing: sh tests/run.sh --test suite runners:: installs them' >&2
    exit 1
}
mkdir -p target/runners-node
[ -x target/runners-node/node_modules/.bin/typeorm ] ||
    (cd target/runners-node && npm install --no-save --ignore-scripts --no-audit --no-fund knex@3 pg@8 node-pg-migrate@9 \
        drizzle-kit@0.31 drizzle-orm@0.45 typeorm@0.3 reflect-metadata liquibase@4)
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
for tool in 'prisma: downloads its engine' 'flyway, golang-migrate: not installed by this'; do
    printf '%-72s %s\n' "$tool" 'not run'
done
exit "$status"
