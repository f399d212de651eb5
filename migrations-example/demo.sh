#!/bin/sh
# A column is replaced while three versions of a shop run, on SQLite, with nothing but a Rust toolchain:
#
#     sh migrations-example/demo.sh [DIR]
#
# It works on a copy of the example, in DIR or in a temporary directory that is gone afterwards, and fails
# if anything goes otherwise than told. PHASEGATE_BIN names a directory of programs that are built already.
set -eu

keep=${1:-}
if [ -n "$keep" ]; then
    mkdir -p "$keep"
    stage=$(cd "$keep" && pwd)
    if [ -e "$stage/shop.db" ]; then
        echo "$keep holds the database of an earlier demonstration; name another directory" >&2
        exit 2
    fi
fi

cd "$(dirname "$0")/.."
if [ -z "${PHASEGATE_BIN:-}" ]; then
    echo 'building migrate and the shop (the first time takes a minute or two)' >&2
    cargo build --quiet --locked --bins --examples
    PHASEGATE_BIN=${CARGO_TARGET_DIR:-target}/debug
fi
bin=$(cd "$PHASEGATE_BIN" && pwd)
PATH=$bin:$bin/examples:$PATH
# The shop and migrate are run in the directory of migrate.toml, which names the same file.
DATABASE_URL=sqlite://shop.db
export DATABASE_URL

servers=
cleanup() {
    code=$?
    trap - EXIT INT TERM
    for server in $servers; do
        kill "$server" 2>/dev/null || true
    done
    wait
    if [ "$code" -ne 0 ]; then
        echo "the demonstration failed (exit code $code); what the servers said:" >&2
        tail -n 5 "$stage"/server-*.log >&2 || true
    fi
    [ -n "$keep" ] || rm -rf "$stage"
    exit "$code"
}
[ -n "$keep" ] || stage=$(mktemp -d)
trap cleanup EXIT
trap 'exit 130' INT
trap 'exit 143' TERM
cp -R migrations-example/migrate.toml migrations-example/0* "$stage"
cd "$stage"

act() {
    printf '\n== %s\n' "$1"
}

# Runs a command, shows it and what it says, and insists on its exit code.
expect() {
    wanted=$1
    shift
    printf '\n$ %s\n' "$*"
    code=0
    "$@" 2>&1 || code=$?
    if [ "$code" -ne "$wanted" ]; then
        echo "this ended with exit code $code, and not with $wanted" >&2
        exit 1
    fi
    [ "$code" -eq 0 ] || echo "(exit code $code)"
}

# Waits until the fleet shows an instance, or does not show it any more.
until_fleet() {
    tries=600
    while :; do
        fleet=$(migrate fleet --output json)
        case "$1 $fleet" in
            shows*"\"$2\""*) return ;;
            lacks*"\"$2\""*) ;;
            lacks*) return ;;
        esac
        tries=$((tries - 1))
        if [ "$1" = shows ] && ! kill -0 "$!"; then
            echo "$2 has ended" >&2
            exit 1
        fi
        if [ "$tries" -eq 0 ]; then
            echo "after a minute the fleet still does not say that it $1 $2: $fleet" >&2
            exit 1
        fi
        sleep 0.1
    done
}

open() {
    printf '\n$ shop --version %s --instance %s &\n' "$2" "$1"
    shop --version "$2" --instance "$1" >"$1.log" 2>&1 &
    servers="$servers $!"
    eval "pid_of_$(echo "$1" | tr - _)=$!"
    until_fleet shows "$1"
}

close() {
    eval "pid=\$pid_of_$(echo "$1" | tr - _)"
    printf '\n$ kill %s\n' "$1"
    kill "$pid"
    still=
    for server in $servers; do
        [ "$server" = "$pid" ] || still="$still $server"
    done
    servers=$still
    # The shop fails if it ever read a name otherwise than it was written.
    wait "$pid"
    until_fleet lacks "$1"
    tail -n 1 "$1.log"
}

act 'The shop opens with web 1.0.0, which knows users.full_name.'
expect 0 migrate expand 0001
open server-1 1.0.0
open server-2 1.0.0

act 'The schema moves first: first_name and last_name appear beside full_name, and nobody notices.'
expect 0 migrate expand

act 'Too early for web 1.2.0: it could not read the names of users from before. It does not start.'
expect 11 shop --version 1.2.0 --instance server-9

act 'web 1.1.0 can read both. It is rolled out beside 1.0.0, and the backfill runs under both.'
expect 0 migrate gate deploy web=1.1.0
open server-3 1.1.0
expect 0 migrate backfill
expect 0 migrate fleet

act 'Somebody wants to drop full_name now. The gate knows who still needs it.'
expect 10 migrate contract 0002

act 'The rollout goes on: web 1.2.0 comes, 1.0.0 and 1.1.0 go.'
open server-4 1.2.0
close server-1
close server-2
close server-3

act 'Nothing live needs the old format any more: full_name and legacy_notes are dropped.'
expect 0 migrate contract

act 'A rollback would bring web 1.0.0 back. It is told before it touches anything.'
expect 11 shop --version 1.0.0 --instance server-1

act 'web 1.2.0 has been selling all along.'
expect 0 migrate status
expect 0 migrate log --verify
close server-4
