#!/bin/sh
# Runs the files of docs/pairing/ecs.md with the real command line of AWS, against moto's server and a scheduler of ours beside
# it (tests/ecs/cluster.py). Installs jq by apt, awscli and moto by pip in target/ecs, where they are missing; see CONTRIBUTING.md.
set -eu
cd "$(dirname "$0")/.."
command -v jq >/dev/null || { apt-get update -qq && apt-get install -y --no-install-recommends jq >/dev/null; }
tools=${CARGO_TARGET_DIR:-target}/ecs
[ -x "$tools/bin/aws" ] || {
    python3 -m venv "$tools"
    "$tools/bin/pip" install --quiet --disable-pip-version-check 'awscli>=1.40,<2' 'moto[server,ecs,ec2]>=5.1,<6'
}
cargo build --locked --bins --examples
root=$PWD
PATH=$(realpath "$tools/bin"):$(realpath "${CARGO_TARGET_DIR:-target}/debug"):$PATH
# No name of a real account is in reach of this.
export PATH AWS_ACCESS_KEY_ID=test AWS_SECRET_ACCESS_KEY=test AWS_DEFAULT_REGION=us-east-1 AWS_CONFIG_FILE=/dev/null AWS_SHARED_CREDENTIALS_FILE=/dev/null AWS_EC2_METADATA_DISABLED=true POLL=1
work=$(mktemp -d)
trap 'kill $cluster 2>/dev/null || true; wait 2>/dev/null || true; rm -rf "$work"' EXIT
# One that is free a moment before it is taken.
port=$((20000 + $$ % 20000))
export AWS_ENDPOINT_URL="http://127.0.0.1:$port"
python3 "$root/tests/ecs/cluster.py" "$port" "$work/ready" >"$work/cluster.log" 2>&1 &
cluster=$!
tries=0
until [ -e "$work/ready" ]; do
    kill -0 $cluster || { cat "$work/cluster.log"; exit 1; }
    tries=$((tries + 1)); [ $tries -lt 600 ] || { cat "$work/cluster.log"; exit 1; }
    sleep 0.1
done

fail() { echo "tests/ecs.sh: $1" >&2; tail -n 20 "$work/cluster.log" >&2; exit 1; }
# Waits until a command says what is expected.
until_says() { # WHAT COMMAND...
    what=$1; shift
    tries=0
    until "$@" >"$work/said" 2>&1 && grep -q -- "$what" "$work/said"; do
        tries=$((tries + 1))
        [ $tries -lt 200 ] || { cat "$work/said"; fail "never said \`$what\`: $*"; }
        sleep 0.5
    done
}
ends_with() { # CODE COMMAND...
    expected=$1; shift
    code=0
    "$@" >"$work/said" 2>&1 || code=$?
    [ "$code" -eq "$expected" ] || { cat "$work/said"; fail "ended with $code and not with $expected: $*"; }
}
says() { grep -q -- "$1" "$work/said" || { cat "$work/said"; fail "did not say \`$1\`"; }; }

define() { # FAMILY TAG
    aws ecs register-task-definition --family "$1" --tags key=team,value=shop --container-definitions "[{\"name\":\"proxy\",\"image\":\"envoy:v1.30\",\"memory\":128},
            {\"name\":\"web\",\"memory\":256,\"image\":\"registry.example.com:5000/shop/web:$2\",\"environment\":[{\"name\":\"A\",\"value\":\"b\"}]}]" >/dev/null
}
aws ecs create-cluster --cluster-name shop >/dev/null
define web 1.0.0
aws ecs create-service --cluster shop --service-name web --task-definition web --desired-count 2 --launch-type FARGATE >/dev/null

mkdir "$work/project"
cd "$work/project"
mkdir ecs 0001_pages 0002_drop_name
cp "$root/deploy/ecs/fleet" "$root/deploy/ecs/deploy" ecs/
# The configuration of the page, on SQLite.
sed -n '/^# migrate.toml/,/^```/p' "$root/docs/pairing/ecs.md" | sed '/^```/d; s#^url = .*#url = "sqlite://shop.db"#' >migrate.toml
printf 'description = "The pages"\n' >0001_pages/migration.toml
echo 'CREATE TABLE pages (id INTEGER PRIMARY KEY, name TEXT);' >0001_pages/expand.sql
printf 'description = "Nobody reads the name any more"\n[services.web]\nold = "<1.2.0"\n' >0002_drop_name/migration.toml
echo 'ALTER TABLE pages DROP COLUMN name;' >0002_drop_name/contract.sql
migrate check
migrate expand

echo "1. the fleet is seen as it is, and what is not there is a failure"
until_says 'web  *1.0.0  *2  *serving  *ecs' migrate fleet
ends_with 1 ecs/fleet shop wbe
says 'no task definition is called wbe'
ends_with 1 ecs/fleet shop web=web/nginx
says "has no container .nginx."
code=0; ecs/fleet shpo web >"$work/said" 2>&1 || code=$?
[ "$code" -ne 0 ] || fail 'a cluster that is not there has no tasks'
says ClusterNotFound

echo "2. a task that a schedule has started and one that drains hold the contract"
aws ecs run-task --cluster shop --task-definition web:1 --group schedule:nightly --launch-type FARGATE >"$work/nightly"
touch "$work/ready.drain"
migrate rollout --to web=1.2.0 >"$work/rollout" 2>&1 &
rollout=$!
until_says 'still there: .*draining.* 1 × 1.0.0' cat "$work/rollout"
until_says 'web  *1.0.0  *[0-9]*  *draining' migrate fleet
ends_with 10 migrate gate contract 0002_drop_name
rm "$work/ready.drain"
until_says 'waiting: still there: 1 × 1.0.0' cat "$work/rollout"
aws ecs stop-task --cluster shop --task "$(jq -r '.tasks[0].taskArn' "$work/nightly")" >/dev/null
wait $rollout || { cat "$work/rollout"; fail 'the rollout failed'; }
grep -q 'done: web 1.2.0' "$work/rollout" || fail 'the rollout is not done'
ends_with 11 migrate gate deploy web=1.1.0

echo "3. only the tag was changed, and to deploy it again registers nothing"
aws ecs describe-task-definition --task-definition web --include TAGS >"$work/definition"
jq -e '.taskDefinition.revision == 2 and .tags[0].value == "shop"
    and ([.taskDefinition.containerDefinitions[].image] == ["envoy:v1.30", "registry.example.com:5000/shop/web:1.2.0"])
    and .taskDefinition.containerDefinitions[1].environment[0].name == "A"' "$work/definition" >/dev/null || { cat "$work/definition"; fail 'something else was changed'; }
ends_with 0 ecs/deploy shop web 1.2.0
[ "$(aws ecs describe-task-definition --task-definition web | jq .taskDefinition.revision)" -eq 2 ] || fail 'it was registered again'

echo "4. an image that does not start is taken back by the circuit breaker, and the driver says so"
ends_with 1 ecs/deploy shop web 1.3.0-broken
says 'circuit breaker has taken it back'
says 'tasks failed to start'
until_says 'web  *1.2.0  *2  *serving  *ecs' migrate fleet

echo "5. an old deployment that is not over is live without a task"
define web 1.1.0
aws ecs create-service --cluster shop --service-name web-blue --task-definition web --desired-count 1 --deployment-controller type=EXTERNAL >/dev/null 2>&1 ||
    fail 'no second service'
until_says 'web  *1.1.0' migrate fleet
says 'service/web-blue'
ends_with 1 ecs/deploy shop web-blue 1.2.0 web
says 'are made by EXTERNAL'
echo "ecs: ok"
