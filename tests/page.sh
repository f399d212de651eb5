#!/bin/sh
# Looks at the page of `migrate serve` in a real Chromium: three widths; light and dark; and a project of
# 1,000 migrations and 5,000 instances. Pictures go to target/page. Installs Debian's chromium where it is missing; see CONTRIBUTING.md.
set -eu
cd "$(dirname "$0")/.."
if ! command -v chromium >/dev/null || ! command -v curl >/dev/null || ! command -v sqlite3 >/dev/null; then
    apt-get update -qq && apt-get install -y --no-install-recommends chromium curl sqlite3 fonts-dejavu-core >/dev/null
fi
cargo build --locked --bins --examples
pictures=$PWD/target/page migrate=$PWD/target/debug/migrate
mkdir -p "$pictures"
work=$(mktemp -d)
server=''
trap 'kill $server 2>/dev/null || true; wait 2>/dev/null || true; rm -rf "$work"' EXIT
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
