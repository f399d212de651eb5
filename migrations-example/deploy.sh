#!/bin/sh
# What `migrate rollout` calls to replace the servers of the shop: web-1 at 50 %, web-2 at 100 %.
# A small team's script would restart two machines here. It may be called again after a crash, so it
# leaves alone what is as it should be.
#
#     deploy.sh VERSION STEP
set -eu
version=$1
step=$2

serves() { # whether this server runs, at this version
    [ "$(cat "$1.version" 2>/dev/null)" = "$version" ] && kill -0 "$(cat "$1.pid")" 2>/dev/null
}

stop() { # asks it to finish what it has begun, and waits until it has
    [ -e "$1.pid" ] || return 0
    pid=$(cat "$1.pid")
    kill "$pid" 2>/dev/null || return 0
    while kill -0 "$pid" 2>/dev/null; do sleep 0.1; done
}

start() {
    shop --version "$version" --instance "$1" >"$1.log" 2>&1 &
    echo $! >"$1.pid"
    echo "$version" >"$1.version"
    until grep -qs ' open: ' "$1.log"; do
        kill -0 "$!" 2>/dev/null || { cat "$1.log"; exit 1; }
        sleep 0.1
    done
    # One that falls over at once has not served: it has to stay as long as `min_ready` says, and renew its lease.
    sleep 2
    kill -0 "$!" 2>/dev/null || { cat "$1.log"; exit 1; }
    echo "    $1 serves $version"
}

replace() {
    if ! serves "$1"; then
        stop "$1"
        start "$1"
    fi
}

replace web-1
[ "$step" -lt 100 ] || replace web-2
