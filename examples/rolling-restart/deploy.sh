#!/bin/sh
# Takes the shop one step towards a version:
#
#     sh deploy.sh SERVICE FROM TO STEP
#
# Each server has two places, a and b. The new version is started in the place that is free, and gets STEP
# percent of the requests; at 100 the old one gets no more, finishes what it has begun, and is stopped.
# What is done already is not done again: so a call that was interrupted can simply be repeated.
#
# `migrate rollout` calls this for each step, in the directory of migrate.toml, and errors.sh after it: how the new
# version does with its share is not judged here.
set -eu

service=$1 to=$3 step=$4
here=$(cd "$(dirname "$0")" && pwd)
. "$here/servers.sh"
. "$here/places.sh"
start_seconds=${START_SECONDS:-30}  # for a new process to become healthy
drain_seconds=${DRAIN_SECONDS:-60}  # for the old one to finish its requests

mkdir -p run

# ---- Processes.

# The agent registers the process before it is started, or does not start it. In a session of its own, it
# outlives this script, and whoever stops the script.
start() {
    echo "deploy: starting $service $to on $1"
    VERSION=$to INSTANCE=$1 PYTHONPATH="$PWD:$here" PYTHONDONTWRITEBYTECODE=1 \
        setsid sh -c 'echo "$$ $VERSION" >"run/$INSTANCE.pid"; exec "$@"' sh \
        migrate agent --service "$service" --version "$to" --instance "$1" --status-socket "run/$1.sock" -- \
        gunicorn web:app --bind "$(address "$1")" --worker-class gthread --threads 16 \
        --graceful-timeout "$drain_seconds" --log-level warning \
        </dev/null >>"run/$1.log" 2>&1 &
    started=$!
    until [ -e "run/$1.pid" ] || ! runs "$started"; do sleep 0.05; done
}

stop() {
    if pid=$(pid_in "$1"); then
        echo "deploy: stopping $service $(version_in "$1") on $1"
        kill "$pid"
        while runs "$pid"; do sleep 0.1; done
    fi
    rm -f "run/$1.pid"
}

# ---- 1. The new version runs on each server.

new=
for server in $servers; do
    place=
    for candidate in "$server-a" "$server-b"; do
        if [ "$(version_in "$candidate")" = "$to" ]; then place=$candidate; fi
    done
    if [ -z "$place" ]; then
        for candidate in "$server-b" "$server-a"; do
            pid_in "$candidate" >/dev/null || place=$candidate
        done
        [ -n "$place" ] || fail "both places on $server are taken"
        rm -f "run/$place.pid"
        proxy "set server web/$place state maint"
        start "$place"
    fi
    new="$new $place"
done
old=
for place in $places; do
    case " $new " in
        *" $place "*) ;;
        *) if pid_in "$place" >/dev/null; then old="$old $place"; fi ;;
    esac
done

# ---- 2. It is healthy, or goes again.

tries=$((start_seconds * 10))
for place in $new; do
    until health=$(curl --silent --fail --max-time 2 "http://$(address "$place")/health"); do
        tries=$((tries - 1))
        if [ "$tries" -le 0 ] || ! pid_in "$place" >/dev/null; then
            echo "deploy: the last that $place has said:" >&2
            tail -n 12 "run/$place.log" >&2
            for started in $new; do
                proxy "set server web/$started state maint"
                stop "$started"
            done
            fail "$service $to on $place is not healthy; it was stopped, and nothing else was changed"
        fi
        sleep 0.1
    done
    case $health in
        *"\"$to\""*) ;;
        *) fail "something else answers on $place: $health" ;;
    esac
done

# ---- 3. It gets its share of the requests.

[ -n "$old" ] || step=100
for place in $new; do
    if [ "$(figure "$place" status)" = MAINT ]; then
        proxy "set server web/$place weight 0"
        proxy "set server web/$place state ready"
    fi
    until [ "$(figure "$place" check_status)" = L7OK ]; do sleep 0.1; done
done
for place in $new; do proxy "set server web/$place weight $step"; done
for place in $old; do proxy "set server web/$place weight $((100 - step))"; done
echo "deploy: $service $to gets $step % of the requests"

# ---- 4. The old one finishes what it has begun, and goes.

[ "$step" -eq 100 ] || exit 0
for place in $old; do proxy "set server web/$place state drain"; done
for place in $old; do
    tries=$((drain_seconds * 10))
    until [ "$(figure "$place" scur)" -eq 0 ] && [ "$(figure "$place" qcur)" -eq 0 ]; do
        tries=$((tries - 1))
        [ "$tries" -gt 0 ] || fail "$place still has requests after $drain_seconds s"
        sleep 0.1
    done
    proxy "set server web/$place state maint"
    stop "$place"
done
