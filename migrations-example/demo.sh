#!/bin/sh
# A column is replaced while a shop is rolled from one version to another, on SQLite, with nothing but a
# Rust toolchain:
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

forgotten=
cleanup() {
    code=$?
    trap - EXIT INT TERM
    # They are not children of this shell, so it cannot wait for them otherwise.
    for server in web-1 web-2; do
        pid=$(cat "$stage/$server.pid" 2>/dev/null) || continue
        while kill "$pid" 2>/dev/null; do sleep 0.1; done
    done
    [ -z "$forgotten" ] || kill "$forgotten" 2>/dev/null || true
    wait
    if [ "$code" -ne 0 ]; then
        echo "the demonstration failed (exit code $code); what the servers said:" >&2
        tail -n 5 "$stage"/*.log >&2 || true
    fi
    [ -n "$keep" ] || rm -rf "$stage"
    exit "$code"
}
[ -n "$keep" ] || stage=$(mktemp -d)
trap cleanup EXIT
trap 'exit 130' INT
trap 'exit 143' TERM
cp -R migrations-example/migrate.toml migrations-example/deploy.sh migrations-example/0* "$stage"
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

# Waits until a file holds a text.
until_in() {
    tries=1200
    until grep -qF "$2" "$1" 2>/dev/null; do
        tries=$((tries - 1))
        if [ "$tries" -eq 0 ]; then
            echo "after two minutes $1 still does not say: $2" >&2
            exit 1
        fi
        sleep 0.1
    done
}

act 'The shop as it was: two servers sell at web 1.0.0, and a third one that nobody remembers.'
migrate --quiet expand 0001 >before.log
sh deploy.sh 1.0.0 100
shop --version 1.0.0 --instance forgotten >forgotten.log 2>&1 &
forgotten=$!
until_in forgotten.log ' open: '
# As soon as they have stayed for a while, they count as what is there.
until migrate fleet | grep -q '1\.0\.0 *3 *serving'; do sleep 0.2; done

act 'One command takes the schema and the shop to web 1.2.0.'
printf '\n$ migrate rollout --to web=1.2.0\n'
(
    code=0
    migrate rollout --to web=1.2.0 2>&1 || code=$?
    echo "$code" >rollout.code
) | tee rollout.log &
rollout=$!

# Somebody reads its output, and stops what it names.
until_in rollout.log '(forgotten)'
kill "$forgotten"
forgotten=
wait "$rollout"
[ "$(cat rollout.code)" -eq 0 ]

act 'A rollback would bring web 1.0.0 back. It is told before it touches anything.'
expect 11 shop --version 1.0.0 --instance web-1

act 'The shop has been selling all along, and every step is on record.'
expect 0 migrate fleet
expect 0 migrate rollout status
expect 0 migrate log --verify
