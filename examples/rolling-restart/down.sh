#!/bin/sh
# Stops everything that up.sh and deploy.sh have started in this directory: sh down.sh
set -u

runs() {
    kill -0 "$1" 2>/dev/null && ! grep -q '^State:.Z' "/proc/$1/status" 2>/dev/null
}

pids=
for file in run/*.pid; do
    [ -e "$file" ] || continue
    read -r pid _ <"$file"
    rm -f "$file"
    if kill "$pid" 2>/dev/null; then pids="$pids $pid"; fi
done
for pid in $pids; do
    while runs "$pid"; do sleep 0.1; done
done
