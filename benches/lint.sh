#!/bin/sh
# How long `migrate check` takes for many migrations, beside squawk for as many files, one after the other on the same machine.
#
#   sh benches/lint.sh [MIGRATIONS]
#
# MIGRATE names a binary that is built already; otherwise the release is built first.
# Needs Python with venv and a network: squawk comes from PyPI, as `squawk-cli` of the version below. What each finds differs; that
# Phasegate also reads a migration.toml for each script, and looks at all of them together, is part of its time.
set -eu

SQUAWK=2.70.0
count=${1:-1000}
root=$(cd "$(dirname "$0")/.." && pwd)
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT INT TERM

migrate=${MIGRATE:-}
if [ -z "$migrate" ]; then
    cargo build --quiet --release --locked --bins --manifest-path "$root/Cargo.toml"
    migrate=${CARGO_TARGET_DIR:-$root/target}/release/migrate
fi
python3 -m venv "$work/venv"
"$work/venv/bin/pip" install --quiet --disable-pip-version-check "squawk-cli==$SQUAWK"

mkdir "$work/project"
cd "$work/project"
printf '[database]\nurl = "postgres://localhost/shop"\n[services.web]\n' >migrate.toml
number=0
while [ "$number" -lt "$count" ]; do
    number=$((number + 1))
    directory=$(printf '%05d_step' "$number")
    mkdir "$directory"
    printf 'description = "Step %d"\n' "$number" >"$directory/migration.toml"
    printf 'CREATE TABLE t%d (id bigint PRIMARY KEY, a text);\nCREATE INDEX i%d ON t%d (a);\nALTER TABLE users ADD COLUMN c%d text;\nALTER TABLE users ADD COLUMN d%d uuid DEFAULT gen_random_uuid();\n' \
        "$number" "$number" "$number" "$number" "$number" >"$directory/expand.sql"
done

"$migrate" check >/dev/null 2>&1 || { echo "migrate check finds errors in what was written for it" >&2; exit 1; }
# Each three times, in turn, so that none has the warmer cache; the least counts.
for turn in 1 2 3; do
    for what in migrate squawk; do
        begun=$(date +%s%N)
        case $what in
        migrate) "$migrate" check --output json >"$work/$what.out" 2>&1 || true ;;
        squawk) "$work/venv/bin/squawk" --reporter json ./*/expand.sql >"$work/$what.out" 2>&1 || true ;;
        esac
        echo "$what $((($(date +%s%N) - begun) / 1000000))" >>"$work/times"
    done
done
for what in migrate squawk; do
    least=$(grep "^$what " "$work/times" | cut -d' ' -f2 | sort -n | head -1)
    echo "$what: $count migrations in $least ms"
done
