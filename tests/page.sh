#!/bin/sh
# Looks at the page of `migrate serve` in a real Chromium: three widths; light and dark; by the keyboard alone; and a project of
# 1,000 migrations and 5,000 instances. Pictures go to target/page. Installs Debian's chromium where it is missing; see CONTRIBUTING.md.
set -eu
cd "$(dirname "$0")/.."
if ! command -v chromedriver >/dev/null || ! command -v curl >/dev/null || ! command -v jq >/dev/null || ! command -v sqlite3 >/dev/null; then
    apt-get update -qq && apt-get install -y --no-install-recommends chromium chromium-driver curl jq sqlite3 fonts-dejavu-core >/dev/null
fi
cargo build --locked --bins --examples
pictures=$PWD/target/page migrate=$PWD/target/debug/migrate
mkdir -p "$pictures"
work=$(mktemp -d)
server='' driver='' session=''
trap '[ -z "$session" ] || ask DELETE "/session/$session" >/dev/null || true; kill $server $driver 2>/dev/null || true; wait 2>/dev/null || true; rm -rf "$work"' EXIT
cd "$work"
sqlite3 shop.db 'CREATE TABLE users (id INTEGER PRIMARY KEY, full_name TEXT, phone TEXT, mail TEXT); INSERT INTO users (full_name) VALUES ('"'Ann'), ('Bob')"
cat >migrate.toml <<'END'
[database]
url = "sqlite://shop.db"
[services.web]
min_instances = 0
[services.worker]
min_instances = 0
[fleet]
sources = [{ kind = "command", name = "pods", run = ["cat", "fleet.jsonl"] }]
END
# NUMBER NAME COLUMN DESCRIPTION SERVICE OLD-BELOW NEW-FROM
migration() {
    mkdir -p "$1_$2"
    cat >"$1_$2/migration.toml" <<END
description = "$4"
rows = "append-only"
[services.${5:-web}]
old = "<${6:-1.2.0}"
new = ">=${7:-1.1.0}"
[backfill]
table = "users"
key = "id"
remaining = "SELECT count(*) FROM users WHERE $2 IS NULL"
END
    echo "ALTER TABLE users ADD COLUMN $2 TEXT;" >"$1_$2/expand.sql"
    echo "UPDATE users SET $2 = coalesce($3, '-') WHERE id > :after AND id <= :upto AND $2 IS NULL;" >"$1_$2/backfill.sql"
    echo "ALTER TABLE users DROP COLUMN $3;" >"$1_$2/contract.sql"
    echo "ALTER TABLE users DROP COLUMN $2;" >"$1_$2/revert.sql"
}
instances() { # SERVICE VERSION COUNT STATE
    seq "$3" | sed "s/.*/{\"service\":\"$1\",\"instance\":\"$1-$2-&\",\"version\":\"$2\",\"state\":\"$4\"}/"
}
: >fleet.jsonl
migration 0001 name full_name 'Move users.full_name to users.name'
"$migrate" -q expand >/dev/null && "$migrate" -q backfill >/dev/null && "$migrate" -q contract 1 >/dev/null
migration 0002 telephone phone 'Rename phone, <b>with a word in bold</b>'
"$migrate" -q expand >/dev/null && "$migrate" -q backfill >/dev/null
migration 0003 email mail 'Spell mail as the rest of the world does' worker 3.2.0 3.1.0
{ instances web 1.1.0 9 serving; instances web 1.2.0 4 starting; instances web 1.1.5 2 draining; instances worker 3.0.0 5 serving; } >fleet.jsonl

start() {
    "$migrate" serve --listen 127.0.0.1:0 --refresh 1s >out 2>err &
    server=$!
    until grep -q listening out; do kill -0 $server; sleep 0.1; done
    address=$(sed -n 's#.*\(http://.*/\)#\1#p' out)
    until curl -s "$address" | grep -q 'id="migrations"'; do sleep 0.2; done
}
# NAME WIDTH HEIGHT PATH MORE…
look() {
    name=$1 size=$2,$3 path=$4
    shift 4
    chromium --headless=new --no-sandbox --disable-gpu --hide-scrollbars --force-device-scale-factor=1 \
        --user-data-dir="$work/chromium" --virtual-time-budget=3000 --enable-logging=stderr "$@" \
        --window-size="$size" --screenshot="$pictures/$name.png" "$address$path" >console 2>&1
    if grep -E 'CONSOLE|Refused to' console; then echo "$name: the console is not empty"; exit 1; fi
}
start
for width in 390 820 1440; do
    look "light-$width" $width 1800 '?to=web%3D1.2.0'
    look "dark-$width" $width 1800 '' --blink-settings=preferredColorScheme=0
done
# Without a script the page asks for itself anew, and everything is in it.
curl -s "$address" >plain
for part in '<noscript><meta http-equiv="refresh"' 'id="migrations"' 'id="fleet"' 'id="horizon"' 'id="plan"' 'id="log"'; do grep -q "$part" plain; done
grep -q '&lt;b&gt;with a word in bold&lt;/b&gt;' plain

# By the keyboard alone. WebDriver presses the keys, as a person does: Tab reaches whatever can be used, in the order of the page and in sight; the
# renewals of the page, one a second, leave the focus where it is; and Enter does what a click does.
port=$((20000 + $$ % 20000))
chromedriver --port=$port >driver 2>&1 &
driver=$!
ask() { # METHOD PATH [BODY]
    curl -sf -X "$1" -H 'Content-Type: application/json' "http://127.0.0.1:$port$2" ${3+--data "$3"}
}
until ask GET /status >/dev/null; do kill -0 $driver; sleep 0.1; done
session=$(ask POST /session "$(jq -n --arg dir "$work/driver-data" '{capabilities: {alwaysMatch: {"goog:chromeOptions": {args:
    ["--headless=new", "--no-sandbox", "--disable-gpu", "--window-size=1000,900", "--user-data-dir=\($dir)"]}}}}')" | jq -r .value.sessionId)
open_page() { ask POST "/session/$session/url" "$(jq -n --arg url "$address$1" '{url: $url}')" >/dev/null; }
run() { ask POST "/session/$session/execute/sync" "$(jq -n --arg script "$1" '{script: $script, args: []}')" | jq -r .value; }
press() { # KEY [HELD]
    ask POST "/session/$session/actions" "$(jq -n --arg key "$1" --arg held "${2-}" '{actions: [{type: "key", id: "keys", actions:
        (if $held == "" then [] else [{type: "keyDown", value: $held}] end + [{type: "keyDown", value: $key}, {type: "keyUp", value: $key}]
        + if $held == "" then [] else [{type: "keyUp", value: $held}] end)}]}')" >/dev/null
}
tab=$(printf '\356\200\204') enter=$(printf '\356\200\207') shift_key=$(printf '\356\200\210')
usable='const all = [...document.querySelectorAll("a[href], summary, input, button")].filter((one) => one.checkVisibility());'
where="$usable"' const one = document.activeElement; const style = getComputedStyle(one); const box = one.getBoundingClientRect();
    const seen = style.outlineStyle !== "none" && parseFloat(style.outlineWidth) >= 2 && box.bottom > 0 && box.top < innerHeight && box.right > 0;
    return all.indexOf(one) + " of " + all.length + (seen ? " in sight" : " out of sight: " + one.outerHTML.slice(0, 100));'
open_page '?to=web%3D1.2.0'
count=$(run "$usable return all.length;")
[ "$count" -gt 10 ] || { echo "keyboard: only $count things can be used"; exit 1; }
at=0
while [ $at -lt "$count" ]; do
    press "$tab"
    said=$(run "$where")
    [ "$said" = "$at of $count in sight" ] || { echo "keyboard: after $at of $count: $said"; exit 1; }
    at=$((at + 1))
done
press "$tab" "$shift_key"
said=$(run "$where")
[ "$said" = "$((count - 2)) of $count in sight" ] || { echo "keyboard: backwards: $said"; exit 1; }
# Whatever has the focus keeps it while what is around it is renewed.
for what in 'details > summary' 'form button' 'a[href^="/v1/gate"]'; do
    run "document.querySelector('$what').focus(); window.had = document.activeElement; return null;" >/dev/null
    before=$(run 'return document.activeElement.outerHTML;')
    tries=0
    # Other moments of the log are told than before.
    until [ "$(run 'return window.had.isConnected;')" = false ]; do
        tries=$((tries + 1))
        [ $tries -lt 200 ] || break
        [ $((tries % 50)) -ne 1 ] || { echo >>fleet.jsonl; instances web "1.1.$((6 + tries))" 1 serving >>fleet.jsonl; }
        sleep 0.1
    done
    [ "$(run 'return document.activeElement.outerHTML;')" = "$before" ] || { echo "keyboard: the renewal took the focus from $what"; exit 1; }
done
run 'document.querySelector("#complete > summary").focus(); return null;' >/dev/null
press "$enter"
[ "$(run 'return document.querySelector("#complete").open;')" = true ] || { echo 'keyboard: Enter opens nothing'; exit 1; }
run 'document.querySelector("input[name=to]").select(); return null;' >/dev/null
for key in w o r k e r = 3 . 2 . 0; do press "$key"; done
press "$enter"
until [ "$(run 'return location.search;')" = '?to=worker%3D3.2.0' ]; do kill -0 $driver; sleep 0.1; done
ask DELETE "/session/$session" >/dev/null
session=''
kill $driver; wait $driver || true
driver=''
kill $server; wait $server || true

n=4
while [ $n -le 1000 ]; do
    d=$(printf '%04d_m%s' $n $n)
    mkdir "$d"
    printf 'description = "One of many"\n[services.web]\nold = "<1.0.0"\n' >"$d/migration.toml"
    echo "CREATE TABLE t$n (id INTEGER PRIMARY KEY);" >"$d/expand.sql"
    n=$((n + 1))
done
"$migrate" -q expand >/dev/null || true
for n in $(seq 50); do instances web "1.1.$n" 100 serving; done >fleet.jsonl
start
before=$(date +%s%N)
curl -s "$address" >page.html
took=$((($(date +%s%N) - before) / 1000000))
echo "1,000 migrations and 5,000 instances: $(wc -c <page.html) bytes in $took ms"
# A debug build, maybe on a busy machine.
[ $took -lt 5000 ]
look many 1440 2400 ''
echo "page: ok, see $pictures"
