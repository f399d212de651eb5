"""Compares what the chart renders with what kustomize does, for tests/helm.sh."""
import os
import shlex
import sys

import yaml


def read(path):
    with open(path, encoding="utf-8") as file:
        return [resource for resource in yaml.safe_load_all(file) if resource]


def one(resources, kind, name=None):
    found = [r for r in resources if r["kind"] == kind and name in (None, r["metadata"]["name"])]
    if len(found) != 1:
        sys.exit(f"{len(found)} resources {kind} {name or ''}")
    return found[0]


def pods(resource):
    """The template of what makes pods, and None of what makes none."""
    spec = resource.get("spec", {})
    if resource["kind"] == "CronJob":
        spec = spec["jobTemplate"]["spec"]
    return spec.get("template") if resource["kind"] in ("Job", "CronJob", "Deployment") else None


def without_names(value):
    """Without what each of the two ways calls its own."""
    if isinstance(value, dict):
        own = ("labels", "annotations", "serviceAccountName", "imagePullPolicy", "ttlSecondsAfterFinished")
        parts = {key: without_names(part) for key, part in value.items() if key not in own}
        return {key: part for key, part in parts.items() if (key, part) != ("metadata", {})}
    if isinstance(value, list):
        return [without_names(part) for part in value]
    return value


def same(what, ours, theirs):
    ours, theirs = without_names(ours), without_names(theirs)
    if ours != theirs:
        sys.exit(f"{what} differs:\n{yaml.safe_dump(ours)}\n---\n{yaml.safe_dump(theirs)}")


def compare(chart, base, webhook):
    account = one(chart, "Role", "phasegate")
    hooks = one(chart, "Role", "phasegate-hooks")
    same("what the account may do", account["rules"], one(base, "Role")["rules"])
    same("what the hooks may do", hooks["rules"], account["rules"])
    prepare, of_base = one(chart, "Job", "phasegate-prepare"), one(base, "Job")
    theirs = of_base["spec"]
    container = theirs["template"]["spec"]["containers"][0]
    # The chart writes the versions where the base reads them from a ConfigMap.
    container["envFrom"] = [source for source in container["envFrom"] if "secretRef" in source]
    container["command"][2] = container["command"][2].replace('"$SERVICE=$VERSION"', "'web=1.1.0'")
    same("the job before", prepare["spec"], theirs)
    same("the job after", one(chart, "CronJob")["spec"], one(base, "CronJob")["spec"])
    theirs = one(webhook, "Deployment")["spec"]
    ours = one(chart, "Deployment")["spec"]
    if not ours["selector"]["matchLabels"].items() <= ours["template"]["metadata"]["labels"].items():
        sys.exit("the server's pods are not those of its Deployment")
    selector = ours["selector"]["matchLabels"]
    selectors = [constraint["labelSelector"]["matchLabels"] for constraint in ours["template"]["spec"]["topologySpreadConstraints"]]
    selectors.append(one(chart, "PodDisruptionBudget")["spec"]["selector"]["matchLabels"])
    selectors.append(one(chart, "Service")["spec"]["selector"])
    if any(other != selector for other in selectors):
        sys.exit(f"something selects other pods than the server's: {selectors}")
    for spec in (ours, theirs):
        del spec["selector"]
        for constraint in spec["template"]["spec"]["topologySpreadConstraints"]:
            del constraint["labelSelector"]
    same("the server", ours, theirs)
    same("the certificate", one(chart, "Certificate")["spec"], one(webhook, "Certificate")["spec"])
    ours = one(chart, "ValidatingWebhookConfiguration")
    theirs = one(webhook, "ValidatingWebhookConfiguration")
    if ours["metadata"]["annotations"] != theirs["metadata"]["annotations"]:
        sys.exit("cert-manager is told of another certificate")
    ours, theirs = ours["webhooks"], theirs["webhooks"]
    # One namespace by its name, in two ways.
    if ours[0].pop("namespaceSelector")["matchExpressions"][0]["values"] != list(theirs[0].pop("namespaceSelector")["matchLabels"].values()):
        sys.exit("the webhook is for another namespace")
    same("the webhook", ours, theirs)


def compare_policy(chart, overlay):
    """The rights to renew a policy, of both accounts of the chart, and of that of the base."""
    theirs = one(overlay, "ClusterRole")
    for name in ("phasegate", "phasegate-hooks"):
        ours = one(chart, "ClusterRole", f"shop-{name}-policy")
        same("what may be done with policies", ours["rules"], theirs["rules"])
        binding = one(chart, "ClusterRoleBinding", f"shop-{name}-policy")
        if binding["subjects"] != [{"kind": "ServiceAccount", "name": name, "namespace": "shop"}]:
            sys.exit(f"the rights to policies are somebody else's: {binding['subjects']}")
        # A hook's account has its rights when it needs them, and no longer.
        if binding["metadata"].get("annotations") != one(chart, "ServiceAccount", name)["metadata"].get("annotations"):
            sys.exit(f"{name} has its rights to policies at another time than it is there")
    binding = one(overlay, "ClusterRoleBinding")
    account = one(overlay, "ServiceAccount")["metadata"]
    subject = {"kind": "ServiceAccount", "name": account["name"], "namespace": account["namespace"]}
    if binding["subjects"] != [subject] or account["namespace"] != "shop":
        sys.exit(f"the rights to policies are somebody else's: {binding['subjects']}")


def one_tells(each, one_of_them):
    """One pod beside the server tells, and it answers nobody."""
    before = one(each, "Deployment", "phasegate")["spec"]
    after = one(one_of_them, "Deployment", "phasegate")["spec"]
    teller = one(one_of_them, "Deployment", "phasegate-notify")["spec"]
    command = lambda spec: spec["template"]["spec"]["containers"][0]["command"]
    options = lambda spec: [word for word in command(spec) if "notify" in word]
    if (options(before), options(after), options(teller)) != ([], ["--notify-refusals"], []):
        sys.exit("not exactly one tells everything, and the others what they refuse")
    if teller["replicas"] != 1 or teller["strategy"] != {"type": "Recreate"} or "--admission" in command(teller):
        sys.exit(f"the one that tells: {teller}")
    command(after).remove("--notify-refusals")
    same("the server without its notices", after, before)
    labels = teller["template"]["metadata"]["labels"]
    if not teller["selector"]["matchLabels"].items() <= labels.items():
        sys.exit("the one that tells is not of its Deployment")
    for selector in (after["selector"]["matchLabels"], one(one_of_them, "Service")["spec"]["selector"]):
        if selector.items() <= labels.items():
            sys.exit(f"the one that tells is taken for the server: {selector}")
    own = one(one_of_them, "ValidatingWebhookConfiguration")["webhooks"][0]["objectSelector"]["matchExpressions"][0]
    if labels[own["key"]] not in own["values"]:
        sys.exit("the one that tells cannot start without the webhook")


def is_whole(resources):
    """What refers to something of the chart refers to what is there, at the time when it is there."""
    hooks = lambda r: r["metadata"].get("annotations", {}).get("helm.sh/hook")
    names = [(r["kind"], r["metadata"]["name"], r["metadata"].get("namespace")) for r in resources]
    if len(names) != len(set(names)):
        sys.exit(f"something is there twice: {sorted(names)}")
    accounts = {r["metadata"]["name"]: r for r in resources if r["kind"] == "ServiceAccount"}
    for resource in resources:
        template = pods(resource)
        if template is None:
            continue
        account = accounts.get(template["spec"]["serviceAccountName"])
        if accounts and account is None:
            sys.exit(f"{resource['metadata']['name']} runs as nobody of the chart")
        # A hook's account comes before it, and goes with it; that of whatever stays, stays.
        if account and bool(hooks(resource)) != bool(hooks(account)):
            sys.exit(f"{resource['metadata']['name']} runs as an account of another time")
        if account and hooks(resource) and not set(hooks(resource).split(",")) <= set(hooks(account).split(",")):
            sys.exit(f"{resource['metadata']['name']} comes where its account does not")
        for container in template["spec"]["containers"]:
            if not container["securityContext"]["readOnlyRootFilesystem"] or "memory" not in container["resources"]["limits"]:
                sys.exit(f"{resource['metadata']['name']} is not confined")
    for binding in (r for r in resources if r["kind"] in ("RoleBinding", "ClusterRoleBinding")):
        role = (binding["kind"].removesuffix("Binding"), binding["roleRef"]["name"], binding["metadata"].get("namespace"))
        if role not in names or binding["subjects"][0]["name"] not in accounts:
            sys.exit(f"{binding['metadata']['name']} binds what is not there")


def write_commands(resources, folder):
    """The commands of the jobs, each a file that a shell runs."""
    os.makedirs(folder)
    for resource in resources:
        template = pods(resource)
        if template is None:
            continue
        name = resource["metadata"]["name"].removeprefix("phasegate").removeprefix("-")
        command = template["spec"]["containers"][0]["command"]
        if resource["kind"] == "Deployment":
            name, command = "serve-help", command + ["--help"]
        text = command[2] if command[:2] == ["sh", "-c"] else shlex.join(command)
        with open(os.path.join(folder, name), "w", encoding="utf-8") as file:
            file.write(text + "\n")


what, *paths = sys.argv[1:]
if what == "same":
    compare(*map(read, paths))
elif what == "same-policy":
    compare_policy(*map(read, paths))
elif what == "one-tells":
    one_tells(*map(read, paths))
elif what == "is-whole":
    is_whole(read(paths[0]))
else:
    write_commands(read(paths[0]), paths[1])
