#!/bin/sh
# Checks what Prometheus makes of `migrate serve`: the alert rules and their tests, every expression of the dashboard, and a real
# Prometheus that scrapes a real server. Installs Debian's prometheus where it is missing; see CONTRIBUTING.md.
set -eu
cd "$(dirname "$0")/.."
if ! command -v promtool >/dev/null || ! command -v prometheus >/dev/null || ! command -v curl >/dev/null || ! command -v jq >/dev/null; then
    apt-get update -qq && apt-get install -y --no-install-recommends prometheus curl jq >/dev/null
fi
promtool check rules deploy/alerts.yaml
(cd deploy && promtool test rules alerts-test.yaml)
cargo build --locked --bins --examples
work=$(mktemp -d)
trap 'kill $server $prometheus 2>/dev/null || true; wait 2>/dev/null || true; rm -rf "$work"' EXIT
server='' prometheus=''
printf '[database]\nurl = "sqlite://shop.db"\n[services.web]\nmin_instances = 0\n' >"$work/migrate.toml"
migrate="$PWD/target/debug/migrate -C $work"
cp -r migrations-example/0001_* "$work"/ 2>/dev/null || $migrate new example >/dev/null
$migrate expand >/dev/null 2>&1 || true
$migrate serve --listen 127.0.0.1:0 --refresh 1s >"$work/out" 2>"$work/err" &
server=$!
until grep -q listening "$work/out"; do kill -0 $server; sleep 0.1; done
address=$(sed -n 's#.*http://\(.*\)/#\1#p' "$work/out")
# One that is free a moment before it is taken.
port=$((20000 + $$ % 20000))
cat >"$work/prometheus.yml" <<END
global: { scrape_interval: 1s, evaluation_interval: 1s }
rule_files: ["$PWD/deploy/alerts.yaml"]
scrape_configs:
  - job_name: phasegate
    static_configs: [{ targets: ["$address"] }]
END
promtool check config "$work/prometheus.yml"
prometheus --config.file="$work/prometheus.yml" --storage.tsdb.path="$work/data" --web.listen-address="127.0.0.1:$port" 2>"$work/prometheus.log" &
prometheus=$!
ask() { curl -s --get "http://127.0.0.1:$port/api/v1/$1" --data-urlencode "query=${2-}"; }
tries=0
until [ "$(ask query 'phasegate_up == 1' | jq '.data.result | length' 2>/dev/null)" = 1 ]; do
    tries=$((tries + 1))
    [ $tries -lt 300 ] || { cat "$work/prometheus.log"; curl -s "http://$address/metrics"; exit 1; }
    sleep 0.2
done
jq -r '.panels[].targets[].expr' deploy/grafana.json | while read -r expression; do
    said=$(ask query "$expression" | jq -r .status)
    [ "$said" = success ] || { echo "no expression: $expression"; exit 1; }
done
# What the rules and the dashboard name is exported, or would be where there is something to tell.
for name in $(cat deploy/alerts.yaml deploy/grafana.json | grep -o 'phasegate_[a-z_]*' | sort -u); do
    short=$(echo "$name" | sed 's/^phasegate_//; s/_bucket$//; s/_total$//')
    grep -q "\"$short\"" src/serve/metrics.rs || { echo "$name is no metric"; exit 1; }
done
echo "metrics: ok"
