#!/bin/sh
# Stops everything that up.sh and deploy.sh have started in this directory: sh down.sh
set -u
for file in run/*.pid; do
    [ -e "$file" ] || continue
    read -r pid _ <"$file"
    kill "$pid" 2>/dev/null
    while kill -0 "$pid" 2>/dev/null && ! grep -q '^State:.Z' "/proc/$pid/status" 2>/dev/null; do sleep 0.1; done
    rm -f "$file"
done
