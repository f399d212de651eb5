#!/usr/bin/env python3
"""How long `migrate fleet` looks at 1,000 and 5,000 pods of a cluster, and how much memory it takes, beside the plain list of the same server.

`cargo build --release --bin migrate && python3 benches/pods.py` answers, over HTTPS, with pods as a real API server was recorded to show
them (tests/suite/kubernetes/recorded), as many as are asked for, in the pages in which they are asked for. In turns with it, `curl` gets the
whole list in one answer, and throws it away. `BENCH_MIGRATE` names the program (target/release/migrate), `BENCH_PODS` the sizes (1000 5000),
`BENCH_ROUNDS` how often. It needs `curl` and `openssl`. Nothing is asserted but that every pod was seen.
"""

import copy
import http.server
import json
import os
import pathlib
import ssl
import statistics
import subprocess
import sys
import tempfile
import threading
import time
import urllib.parse

ROOT = pathlib.Path(__file__).resolve().parent.parent
RECORDED = ROOT / "tests/suite/kubernetes/recorded/pods-all-kinds.json"
KINDS = {
    "/apis/apps/v1": ["deployments", "replicasets", "statefulsets", "daemonsets"],
    "/apis/batch/v1": ["jobs", "cronjobs"],
}
EMPTY = {"kind": "List", "apiVersion": "v1", "metadata": {"resourceVersion": "7"}, "items": []}


def fields(value):
    """Whose a field is, as a server says it of each: that is a third of what it sends of a pod, and was not recorded."""
    return {f"f:{key}": fields(below) for key, below in value.items()} if isinstance(value, dict) else {}


def managed(pod):
    labels = {"f:metadata": {"f:labels": fields(pod["metadata"]["labels"])}}
    writers = [
        ("kube-controller-manager", labels | {"f:spec": fields(pod["spec"]) | {"f:containers": [fields(one) for one in pod["spec"]["containers"]]}}),
        ("kubelet", {"f:status": fields(pod["status"]) | {"f:conditions": [fields(one) for one in pod["status"]["conditions"]]}}),
    ]
    said = {"operation": "Update", "apiVersion": "v1", "time": "2026-11-26T11:30:19Z", "fieldsType": "FieldsV1"}
    return [{"manager": name} | said | {"fieldsV1": written} for name, written in writers]


def pods(number):
    """The recorded pods of a Deployment, each again and again under a name of its own, as text."""
    recorded = json.loads(RECORDED.read_text())["items"]
    models = [pod for pod in recorded if pod["metadata"].get("generateName") == "web-5c5f98466f-"]
    made = []
    for at in range(number):
        pod = copy.deepcopy(models[at % len(models)])
        pod["metadata"]["name"] = f"web-5c5f98466f-{at:05}"
        pod["metadata"]["uid"] = f"cf2f4d82-fc25-4943-b4cd-{at:012}"
        pod["spec"]["nodeName"] = f"n{at // 100}"
        pod["metadata"]["managedFields"] = managed(pod)
        made.append(json.dumps(pod, separators=(",", ":")))
    return made


class Cluster:
    """Holds pods, and answers lists of them; each answer is written once."""

    def __init__(self):
        self.pods = []
        self.answers = {}

    def hold(self, number):
        self.pods = pods(number)
        self.answers = {}

    def answer(self, target):
        if target not in self.answers:
            self.answers[target] = self.written(target)
        return self.answers[target]

    def written(self, target):
        path, _, query = target.partition("?")
        asked = urllib.parse.parse_qs(query)
        if path in KINDS:
            kinds = [{"name": name} for name in KINDS[path]]
            return json.dumps({"kind": "APIResourceList", "resources": kinds}).encode()
        if not path.endswith("/pods"):
            return json.dumps(EMPTY).encode()
        begin = int(asked.get("continue", ["0"])[0])
        end = begin + int(asked.get("limit", [len(self.pods) or 1])[0])
        metadata = {"resourceVersion": "1454"}
        if end < len(self.pods):
            metadata |= {"continue": str(end), "remainingItemCount": len(self.pods) - end}
        head = '{"kind":"PodList","apiVersion":"v1","metadata":' + json.dumps(metadata) + ',"items":['
        return (head + ",".join(self.pods[begin:end]) + "]}").encode()


def serve(cluster, directory):
    """Serves it over TLS; gives the URL."""
    subprocess.run(
        "openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 2 -keyout key.pem -out ca.pem -subj /CN=ours "
        "-addext subjectAltName=IP:127.0.0.1 -addext basicConstraints=critical,CA:FALSE".split(),
        cwd=directory, check=True, capture_output=True,
    )

    class Handler(http.server.BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self):
            body = cluster.answer(self.path)
            self.send_response(200)
            self.send_header("content-type", "application/json")
            self.send_header("content-length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_):
            pass

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(f"{directory}/ca.pem", f"{directory}/key.pem")
    server.socket = context.wrap_socket(server.socket, server_side=True)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    return f"https://127.0.0.1:{server.server_port}"


def project(directory, url, migrate):
    """A project, expanded while nobody was there, whose only source is that cluster."""
    kubeconfig = {
        "apiVersion": "v1", "kind": "Config", "current-context": "here",
        "clusters": [{"name": "c", "cluster": {"server": url, "certificate-authority": f"{directory}/ca.pem"}}],
        "users": [{"name": "u", "user": {}}],
        "contexts": [{"name": "here", "context": {"cluster": "c", "user": "u", "namespace": "default"}}],
    }
    pathlib.Path(directory, "kubeconfig").write_text(json.dumps(kubeconfig))
    settings = pathlib.Path(directory, "migrate.toml")
    settings.write_text(f'[database]\nurl = "sqlite://{directory}/shop.db"\n[services.web]\nmin_instances = 0\n')
    migration = pathlib.Path(directory, "0001_name")
    migration.mkdir()
    (migration / "migration.toml").write_text('description = "A name"\n[services.web]\nnew = ">=1.0.0"\n')
    (migration / "expand.sql").write_text("CREATE TABLE names (id INTEGER PRIMARY KEY);\n")
    run([migrate, "-q", "expand"], directory)
    with settings.open("a") as more:
        source = f'{{ kind = "kubernetes", kubeconfig = "{directory}/kubeconfig", context = "here", services = {{ web = {{}} }} }}'
        more.write(f"[fleet]\nsources = [{source}]\n")


def run(command, directory):
    """What a program prints, its milliseconds, and the most memory that it had, in MiB."""
    began = time.monotonic()
    child = subprocess.Popen(command, cwd=directory, stdout=subprocess.PIPE)
    printed = child.stdout.read()
    _, status, used = os.wait4(child.pid, 0)
    took = (time.monotonic() - began) * 1000
    child.returncode = os.waitstatus_to_exitcode(status)
    if child.returncode != 0:
        sys.exit(f"{command} ended with {child.returncode}")
    # Linux counts in KiB, macOS in bytes.
    return printed, took, used.ru_maxrss / (1024 if sys.platform == "linux" else 1024 * 1024)


def main():
    migrate = os.path.realpath(os.environ.get("BENCH_MIGRATE", ROOT / "target/release/migrate"))
    if not os.access(migrate, os.X_OK):
        sys.exit("build it first: cargo build --release --bin migrate")
    rounds = int(os.environ.get("BENCH_ROUNDS", "11"))
    sizes = [int(size) for size in os.environ.get("BENCH_PODS", "1000 5000").split()]
    cluster = Cluster()
    with tempfile.TemporaryDirectory() as directory:
        url = serve(cluster, directory)
        project(directory, url, migrate)
        fleet = [migrate, "fleet", "--output", "json"]
        cluster.hold(1)
        # What the program takes for itself.
        alone = max(run(fleet, directory)[2] for _ in range(3))
        print(f"{'pods':>6}  {'':32}  {'median':>8}  {'min to max':>16}  {'ratio':>5}  {'memory':>9}  beyond 1 pod")
        for size in sizes:
            cluster.hold(size)
            plain = ["curl", "-sS", "--cacert", "ca.pem", "-o", "/dev/null", f"{url}/api/v1/namespaces/default/pods"]
            times, of_list, most = [], [], 0.0
            # One round to warm up.
            for round_ in range(rounds + 1):
                listed = run(plain, directory)[1]
                printed, took, memory = run(fleet, directory)
                seen = sum(version["instances"] for version in json.loads(printed)["fleet"])
                if seen != size:
                    sys.exit(f"{seen} of {size} pods were seen")
                most = max(most, memory)
                if round_ > 0:
                    times.append(took)
                    of_list.append(listed)
            mib = len(cluster.answer("/api/v1/namespaces/default/pods")) / 1024 / 1024
            row(size, f"the plain list, {mib:.1f} MiB", of_list, 1.0, "")
            ratio = statistics.median(took / listed for took, listed in zip(times, of_list))
            row(size, "migrate fleet", times, ratio, f"{most:6.1f} MiB  {most - alone:6.1f} MiB")


def row(size, what, times, ratio, memory):
    span = f"{min(times):.0f} to {max(times):.0f} ms"
    print(f"{size:>6}  {what:32}  {statistics.median(times):5.0f} ms  {span:>16}  {ratio:5.2f}  {memory}".rstrip())


main()
