#!/bin/sh
# How many questions `migrate serve` answers a second, and the slowest hundredth of them, beside the bare query over as many connections; and
# the same of the admission webhook. PostgreSQL with 1,000 and 100,000 live leases. `BENCH_MIGRATE` names the program (target/release/migrate),
# `BENCH_LEASES` the sizes, `BENCH_REQUESTS` how often each is asked, `BENCH_ASKERS` by how many at once. Installs Debian's apache2-utils (ab) where it is missing; nothing is asserted.
set -eu
cd "$(dirname "$0")/.."
migrate=$(realpath "${BENCH_MIGRATE:-target/release/migrate}")
[ -x "$migrate" ] || { echo "build it first: cargo build --release --bin migrate" >&2; exit 1; }
command -v ab >/dev/null || { apt-get update -qq && apt-get install -y --no-install-recommends apache2-utils >/dev/null; }
requests=${BENCH_REQUESTS:-1000} askers=${BENCH_ASKERS:-4}
bin=$(dirname "$(find /usr/lib/postgresql -name initdb | sort -V | tail -1)")
work=$(mktemp -d)
chmod 755 "$work"
server=''
user=$(id -un)
as() { if [ "$user" = root ]; then runuser -u postgres -- "$@"; else "$@"; fi; }
trap 'kill $server 2>/dev/null || true; as "$bin/pg_ctl" -D "$work/data" -m immediate stop >/dev/null 2>&1 || true; rm -rf "$work"' EXIT
mkdir "$work/data" && { [ "$user" != root ] || chown postgres "$work/data"; }
as "$bin/initdb" -D "$work/data" -A trust -U bench >/dev/null
port=$((20000 + $$ % 20000))
as "$bin/pg_ctl" -D "$work/data" -o "-p $port -c listen_addresses=127.0.0.1 -c unix_socket_directories=$work/data -c fsync=off" -l "$work/data/log" -w start >/dev/null
url="postgres://bench@127.0.0.1:$port/shop"
sql() { psql -qtA "$url" -v ON_ERROR_STOP=1 -c "$1"; }

project() {
    PGOPTIONS='--client-min-messages=warning' dropdb --if-exists -h 127.0.0.1 -p "$port" -U bench shop
    createdb -h 127.0.0.1 -p "$port" -U bench shop
    rm -rf "$work/project"
    mkdir -p "$work/project/0001_name"
    cd "$work/project"
    printf '[database]\nurl = "%s"\n[services.web]\n' "$url" >migrate.toml
    printf 'description = "A name"\n[services.web]\nnew = ">=1.0.0"\n' >0001_name/migration.toml
    echo 'CREATE TABLE names (id BIGINT PRIMARY KEY);' >0001_name/expand.sql
    "$migrate" -q expand >/dev/null
    "$migrate" -q admit --service web --version 1.1.0 --instance web-0 >/dev/null
    # As many more as it takes, like the one that was admitted, all of an hour ago and renewed since.
    sql "INSERT INTO phasegate.leases (id, service, version, instance, state, registered_at, renewed_at, renew_ms, expires_at)
         SELECT md5(n::text), service, '1.' || n % 3 + 1 || '.0', 'web-' || n, 1, registered_at - 3600000, renewed_at, 3600000, expires_at + 36000000
         FROM phasegate.leases, generate_series(1, $1 - 1) n"
    sql 'VACUUM ANALYZE phasegate.leases'
}

# NAME AB-OPTIONS... URL
asked() {
    name=$1
    shift
    ab -q -n "$requests" -c "$askers" "$@" >"$work/ab" 2>&1 || { cat "$work/ab"; exit 1; }
    grep -q '^Failed requests: *0$' "$work/ab" || grep -q 'Length:' "$work/ab" || { cat "$work/ab"; exit 1; }
    ! grep -q '^Non-2xx' "$work/ab" || { cat "$work/ab"; exit 1; }
    rate=$(sed -n 's/^Requests per second: *\([0-9.]*\).*/\1/p' "$work/ab")
    printf '%-10s  %-42s  %8.0f/s  %6s ms  %6s ms\n' "$leases" "$name" "$rate" "$(awk '$1 == "50%" {print $2}' "$work/ab")" "$(awk '$1 == "99%" {print $2}' "$work/ab")"
}

review() {
    printf '{"apiVersion":"admission.k8s.io/v1","kind":"AdmissionReview","request":{"uid":"705ab4f5-6393","kind":{"group":"","version":"v1","kind":"Pod"},'
    printf '"namespace":"shop","operation":"CREATE","dryRun":%s,"object":{"metadata":{"name":"web-new","labels":{"app.kubernetes.io/name":"web",' "$1"
    printf '"app.kubernetes.io/version":"1.2.0"}},"spec":{"containers":[{"name":"web","image":"web:1.2.0"}]}}}}'
}

printf '%-10s  %-42s  %10s  %9s  %9s\n' leases "$askers at once" 'a second' median 99%
for leases in ${BENCH_LEASES:-1000 100000}; do
    project "$leases"
    now=$(date +%s)000
    echo "SELECT service, version, count(*) FROM phasegate.leases WHERE expires_at > $now GROUP BY 1, 2;" >"$work/bare.sql"
    (cd "$work" && pgbench -n -h 127.0.0.1 -p "$port" -U bench -c "$askers" -j 2 -t $((requests / askers)) -M prepared -l --log-prefix=bare -f bare.sql shop >pgbench 2>&1) || { cat "$work/pgbench"; exit 1; }
    cat "$work"/bare.* | awk 'NF > 4 {print $3 / 1000}' | sort -n >"$work/times"
    count=$(wc -l <"$work/times")
    rate=$(sed -n 's/^tps = \([0-9.]*\).*/\1/p' "$work/pgbench")
    printf '%-10s  %-42s  %8.0f/s  %6.1f ms  %6.1f ms\n' "$leases" 'the bare query: leases by version' "$rate" \
        "$(sed -n "$((count / 2))p" "$work/times")" "$(sed -n "$((count * 99 / 100))p" "$work/times")"
    rm -f "$work"/bare.[0-9]*
    : >"$work/out"
    "$migrate" serve --listen 127.0.0.1:0 --admission --askers "$askers" --refresh 1h >"$work/out" 2>"$work/err" &
    server=$!
    until grep -q listening "$work/out"; do kill -0 $server; sleep 0.1; done
    address=$(sed -n 's#.*\(http://[^/]*\)/#\1#p' "$work/out")
    asked '/healthz: nothing is looked up' -k "$address/healthz"
    asked '/v1/gate/deploy' -k "$address/v1/gate/deploy?web=1.2.0"
    review true >"$work/dry.json"
    review false >"$work/review.json"
    asked '/admission/v1, a dry run' -k -p "$work/dry.json" -T application/json "$address/admission/v1"
    asked '/admission/v1, which registers' -k -p "$work/review.json" -T application/json "$address/admission/v1"
    kill $server
    wait $server 2>/dev/null || true
    server=''
done
