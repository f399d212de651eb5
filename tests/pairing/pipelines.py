"""What the pipelines in this repository and in its pages are made of: takes the files apart, so that tests/pairing.sh can hold each part
against the schema that is published for it, and its scripts against a shell.

pipelines.py component DIR KEY=VALUE...  the component for GitLab as GitLab would put it in: DIR/component.yml, DIR/header.yml and DIR/script
pipelines.py page PAGE DIR PREFIX        the blocks of YAML of a page, as DIR/PREFIX-1.yml and so on
pipelines.py scripts WORKFLOW DIR        the scripts of a workflow for GitHub, as DIR/JOB-STEP
"""

import pathlib
import re
import sys

import yaml

INPUT = re.compile(r"\$\[\[\s*inputs\.([A-Za-z_-]+)\s*\]\]")
# What a component would change of the pipeline that it is put into.
OF_THE_PIPELINE = {"default", "variables", "stages", "workflow", "image", "services", "before_script", "after_script", "cache", "pages"}


def fail(why):
    sys.exit(f"tests/pairing/pipelines.py: {why}")


def component(directory, given):
    text = pathlib.Path("templates/migrations.yml").read_text()
    header, body = text.split("\n---\n")
    inputs = yaml.safe_load(header)["spec"]["inputs"]
    used = set(INPUT.findall(body))
    if used != set(inputs):
        fail(f"inputs that are declared or used and not both: {sorted(used ^ set(inputs))}")
    for name, value in inputs.items():
        if "default" not in value or "description" not in value:
            fail(f"the input {name} has no default or no description")
    if unknown := set(given) - set(inputs):
        fail(f"no such inputs: {sorted(unknown)}")

    def put_in(value):
        if isinstance(value, dict):
            return {put_in(key): put_in(inner) for key, inner in value.items()}
        if isinstance(value, list):
            return [put_in(inner) for inner in value]
        if not isinstance(value, str):
            return value
        whole = INPUT.fullmatch(value)
        of = lambda name: given.get(name, inputs[name]["default"])
        # As a whole it keeps its type, which of an array is what rules have to be.
        return of(whole[1]) if whole else INPUT.sub(lambda found: str(of(found[1])), value)

    # A name in quotes is a text to YAML before anything is put in, and one without is read after it.
    rendered = put_in(yaml.safe_load(re.sub(r"(?m)(:\s+)(\$\[\[[^\]]*\]\])$", r'\1"\2"', body)))
    if taken := OF_THE_PIPELINE & set(rendered):
        fail(f"the component sets what is the pipeline's: {sorted(taken)}")
    (job,) = rendered.values()
    directory.mkdir(parents=True, exist_ok=True)
    (directory / "header.yml").write_text(header + "\n")
    (directory / "component.yml").write_text(yaml.safe_dump(rendered, sort_keys=False))
    # As the runner does it.
    names = "".join(f"export {name}='{value}'\n" for name, value in job["variables"].items())
    script = "\n".join(job["script"])
    (directory / "script").write_text(f"#!/bin/sh\n{names}{script}\n")


def page(path, directory, prefix):
    blocks = re.findall(r"(?ms)^```yaml\n(.*?)^```$", pathlib.Path(path).read_text())
    if not blocks:
        fail(f"{path} has no block of YAML")
    directory.mkdir(parents=True, exist_ok=True)
    for number, block in enumerate(blocks, 1):
        (directory / f"{prefix}-{number}.yml").write_text(block)


def scripts(path, directory):
    workflow = yaml.safe_load(pathlib.Path(path).read_text())
    directory.mkdir(parents=True, exist_ok=True)
    for name, job in workflow["jobs"].items():
        for number, step in enumerate(job["steps"], 1):
            if run := step.get("run"):
                if "${{" in run:
                    fail(f"{path}: step {number} of {name} writes an expression into its script: hand it over in `env`")
                (directory / f"{name}-{number}").write_text(f"#!/bin/bash\n{run}\n")


def main(arguments):
    match arguments:
        case ["component", directory, *pairs]:
            component(pathlib.Path(directory), dict(pair.split("=", 1) for pair in pairs))
        case ["page", path, directory, prefix]:
            page(path, pathlib.Path(directory), prefix)
        case ["scripts", path, directory]:
            scripts(path, pathlib.Path(directory))
        case _:
            fail(__doc__)


main(sys.argv[1:])
