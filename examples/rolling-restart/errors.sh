#!/bin/sh
# Prints the share of its requests that a version answers with an error (0.02 is 2 %), by HAProxy's own counters:
#
#     PHASEGATE_TO=VERSION sh errors.sh
#
# It counts from when it is called on, until there are enough requests to tell. `migrate rollout` calls it after each
# step, in the directory of migrate.toml, and stops where that share is beyond the limit there. What is no number says
# that nobody knows, which stops it too.
set -eu

here=$(cd "$(dirname "$0")" && pwd)
. "$here/servers.sh"
. "$here/places.sh"
canary_requests=${CANARY_REQUESTS:-100} # that the version has to answer before it is judged …
canary_seconds=${CANARY_SECONDS:-30}    # … or how long it is watched where there is less traffic

unknown() {
    echo "$1"
    exit 0
}

# Before the first step, nothing of it can have failed.
[ "${PHASEGATE_STEP:-100}" -gt 0 ] || unknown 0

its=
for place in $places; do
    if [ "$(version_in "$place")" = "$PHASEGATE_TO" ]; then its="$its $place"; fi
done
[ -n "$its" ] || unknown "no process of web $PHASEGATE_TO runs"

# What its places have answered since HAProxy began to count, and how often with an error: an answer that says so, or
# one that broke off.
counted() {
    counters=$(proxy 'show stat' 2>/dev/null) || unknown 'HAProxy does not answer'
    echo "$counters" | awk -F, -v places="$its " '
        NR == 1 { sub(/^# /, ""); for (i = 1; i <= NF; i++) at[$i] = i }
        $1 == "web" && index(places, " " $2 " ") {
            answered += $at["hrsp_1xx"] + $at["hrsp_2xx"] + $at["hrsp_3xx"] + $at["hrsp_4xx"] + $at["hrsp_5xx"]
            answered += $at["hrsp_other"]
            errors += $at["hrsp_5xx"] + $at["eresp"]
        }
        END { print answered + 0, errors + 0 }'
}

# Two numbers, or the end of this script.
count() {
    count=$(counted)
    case $count in *[!0-9\ ]*) unknown "$count" ;; esac
    answered=${count% *} errors=${count#* }
}

count
answered_before=$answered errors_before=$errors
tries=$((canary_seconds * 10))
while :; do
    count
    [ "$answered" -ge "$answered_before" ] || unknown 'HAProxy was restarted, and counts anew'
    if [ $((answered - answered_before)) -ge "$canary_requests" ] || [ "$tries" -le 0 ]; then break; fi
    tries=$((tries - 1))
    sleep 0.1
done
awk -v answered=$((answered - answered_before)) -v errors=$((errors - errors_before)) \
    'BEGIN { print answered == 0 ? 0 + errors : errors / answered }'
