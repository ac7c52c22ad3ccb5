"""The Kubeflow pipeline: compiled by its SDK, and its steps run as in the containers."""

from __future__ import annotations

import json
import os
import re
import shlex
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import yaml
from google.protobuf import text_format
from support.foreign_tools import environment

from eugenie_cli.deploy import kubeflow
from eugenie_cli.deploy.request import Options, Request
from eugenie_cli.deploy.store_location import store_location
from eugenie_cli.deploy.versions import released
from eugenie_cli.serving import release_config as record
from eugenie_cli.serving.model_store import LEFT_ALONE
from eugenie_cli.serving.release_config import exported
from eugenie_cli.serving.server_config import ReleasedModel, released_models
from eugenie_cli.site.load import load_site
from eugenie_cli.site.schema import Site
from eugenie_cli.tfserving.protos import config_pb2

pytestmark = pytest.mark.integration

SITE = """\
site: small
classes:
  pump:
    sensors: [{name: flow}, {name: pressure}]
    model: {window: 40, warmup: 20, horizons: [1], units: 4, epochs: 1}
assets:
  pump-1: {class: pump}
sources:
  - name: logger
    type: csv
    path: exports/*.csv
    readings: {shape: wide, ts: {path: ts}, asset: {file: "{stem}"}}
"""
ROWS = 1_000
GOLDEN = Path(__file__).parents[1] / "golden" / "evaluate"


@pytest.fixture(scope="module")
def sdk(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The Python that has the SDK."""
    return environment(tmp_path_factory.mktemp("kfp"), kubeflow.SDK) / "python"


@pytest.fixture
def plant(tmp_path: Path) -> Path:
    """A plant's folder, with a quarter of an hour of readings."""
    (tmp_path / "site-configs").mkdir()
    (tmp_path / "site-configs" / "small.yaml").write_text(SITE)
    (tmp_path / "exports").mkdir()
    noise = np.random.default_rng(0).normal(size=(ROWS, 2))
    lines = [
        f"2026-01-01T{second // 3600:02}:{second // 60 % 60:02}:{second % 60:02}Z,{flow:.3f},{pressure:.3f}"
        for second, (flow, pressure) in enumerate(noise + 5)
    ]
    (tmp_path / "exports" / "pump-1.csv").write_text("\n".join(["ts,flow,pressure", *lines]) + "\n")
    return tmp_path


def request_of(site: Site, **options: Any) -> Request:
    """The request as rendered: a pipeline makes versions, and queries no store over the network."""
    return Request(site, store_location(site), released(site, ask=False), exported(site), Options(**options))


def compiled(sdk: Path, folder: Path, text: str) -> tuple[dict[str, Any], dict[str, Any]]:
    """(pipeline, its Kubernetes part)."""
    folder.mkdir(exist_ok=True)
    (folder / kubeflow.FILE).write_text(text)
    done = subprocess.run([str(sdk), str(folder / kubeflow.FILE)], capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stderr
    pipeline, platform = yaml.safe_load_all((folder / kubeflow.COMPILED).read_text())
    return pipeline, platform["platforms"]["kubernetes"]["deploymentSpec"]["executors"]


def text_of(request: Request) -> str:
    return next(document.text for document in kubeflow.documents(request) if document.name == kubeflow.FILE)


class Steps:
    """A compiled pipeline's containers, run as local processes."""

    def __init__(self, pipeline: dict[str, Any], folder: Path) -> None:
        self._executors = pipeline["deploymentSpec"]["executors"]
        self._folder = folder

    def run(self, name: str, **inputs: str) -> dict[str, Path]:
        """Run a step; returns its outputs. Fills in `{{$.inputs...}}` and `{{$.outputs...}}` like Kubeflow."""
        container = self._executors[f"exec-{name}"]["container"]
        outputs: dict[str, Path] = {}

        def put(match: re.Match[str]) -> str:
            direction, key = match[1], match[2]
            if direction == "inputs":
                return inputs[key]
            outputs[key] = self._folder / name / key / "data"
            return str(outputs[key])

        words = [
            re.sub(r"\{\{\$\.(inputs|outputs)\.\w+\['(\w+)'\]\.?\w*\}\}", put, word)
            for word in (*container["command"], *container.get("args", []))
        ]
        variables = {**os.environ, "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}", "TMPDIR": "/tmp"}
        done = subprocess.run(words, env=variables, capture_output=True, text=True, timeout=500)
        assert done.returncode == 0, f"{words}\n{done.stdout}\n{done.stderr}"
        return outputs


def test_the_steps_do_what_they_say(sdk, plant):
    """Evaluation and export take minutes and are tested elsewhere: here, the command lines are parsed by the
    commands."""
    site = load_site(plant / "site-configs" / "small.yaml")
    # the claims' mount points are folders of the test
    here = text_of(request_of(site)).replace('"/plant', f'"{plant}').replace('"/served"', f'"{plant}/served"')
    pipeline, _ = compiled(sdk, plant / "out", here)
    steps = Steps(pipeline, plant / "outputs")

    steps.run("import-readings")
    assert steps.run("train", class_name="pump")["version"].read_text() == "1"

    figures = json.loads((GOLDEN / "labels.json").read_text())
    for found, decision in ((3, "keep"), (15, "promote")):
        candidate = {"version": 2, "events": {**figures["events"], "detected": found}}
        (plant / "evaluation").write_text(json.dumps({**figures, "version": 1, "candidate": candidate}))
        assert steps.run("gate", evaluation=str(plant / "evaluation"))["decision"].read_text() == decision

    version = plant / ".eugenie" / "small" / "models" / "pump" / "2"
    (version / "variables").mkdir(parents=True)
    (version / "saved_model.pb").write_text("a model")
    record.write(site, {"pump": ReleasedModel("pump", "", (2,), {"champion": 2})})
    for _ in range(2):  # a repeated step finds its work done
        steps.run("publish", class_name="pump", version="2")
    served = plant / "served"
    assert (served / "pump" / "2" / "saved_model.pb").read_text() == "a model"
    assert sorted(path.name for path in served.iterdir()) == ["models.config", "pump"]
    (listed,) = released_models(
        text_format.Parse((served / "models.config").read_text(), config_pb2.ModelServerConfig())
    )
    assert listed == ReleasedModel("pump", "/models/pump", (2,), {"champion": 2}), "the path must be the server's"


def test_every_command_of_the_steps_can_be_given(sdk, tmp_path, plant):
    from typer.main import get_command

    from eugenie_cli.main import app

    site = load_site(plant / "site-configs" / "small.yaml")
    pipeline, _ = compiled(sdk, tmp_path / "out", text_of(request_of(site)))
    given = set()
    for executor in pipeline["deploymentSpec"]["executors"].values():
        words = executor["container"]["command"]
        script = words[-1] if words[0] == "sh" else shlex.join(words)
        # in place of the shell's values: a number is valid wherever a word is
        script = re.sub(r"\$\{3:\+(.*?)\}(?= --)", r"\1", script)
        for line in re.sub(r'"?\$\d"?', "3", script).splitlines():
            if not line.startswith("eugenie "):
                continue
            words, command = shlex.split(line.split(" > ")[0])[1:], get_command(app)
            while words[0] in getattr(command, "commands", {}):
                given.add(words[0])
                command = command.commands[words.pop(0)]  # type: ignore[attr-defined]
            command.make_context("eugenie", words)
    assert given == {"import", "train", "evaluate", "models", "promote", "export"}


def test_the_pipeline_exports_only_what_the_gate_promotes(sdk, tmp_path, plant):
    site = load_site(plant / "site-configs" / "small.yaml")
    pipeline, platform = compiled(sdk, tmp_path / "out", text_of(request_of(site, image="plant/eugenie:1")))
    tasks = pipeline["root"]["dag"]["tasks"]
    (condition,) = (task for name, task in tasks.items() if name.startswith("condition"))
    assert condition["triggerPolicy"]["condition"].endswith("== 'promote'")
    guarded = pipeline["components"][condition["componentRef"]["name"]]["dag"]["tasks"]
    assert set(guarded) == {"export", "publish"} and guarded["publish"]["dependentTasks"] == ["export"]
    assert set(tasks) - {"condition-1"} == {"import-readings", "train", "evaluate", "gate"}
    assert not any(task.get("cachingOptions", {}).get("enableCache") for task in (*tasks.values(), *guarded.values()))
    for name, executor in pipeline["deploymentSpec"]["executors"].items():
        assert executor["container"]["image"] == "plant/eugenie:1", name
    claims = [mount["constant"] for mount in platform["exec-publish"]["pvcMount"]]
    assert claims == ["eugenie-small-plant", "eugenie-small--serving-models"]
    assert [mount["constant"] for mount in platform["exec-train"]["pvcMount"]] == ["eugenie-small-plant"]


def test_a_store_is_reached_with_the_secrets_variables_in_the_step_that_publishes_alone(sdk, tmp_path, plant):
    site = load_site(plant / "site-configs" / "small.yaml")
    site = site.model_copy(update={"serving": site.serving.model_copy(update={"models": "s3://models/eugenie"})})
    pipeline, platform = compiled(sdk, tmp_path / "out", text_of(request_of(site, secret="models-store")))
    publish = pipeline["deploymentSpec"]["executors"]["exec-publish"]["container"]
    assert publish["image"].startswith("rclone/")
    assert publish["args"][-1] == "s3://models/eugenie", "the path must be that of the store's list"
    export = pipeline["deploymentSpec"]["executors"]["exec-export"]["container"]["command"][-1]
    assert export.startswith(f"export {LEFT_ALONE}=off\n"), "its image has no store library and no key"
    assert {"name": "RCLONE_CONFIG_MODELS_TYPE", "value": "s3"} in publish["env"]
    (secret,) = platform["exec-publish"]["secretAsEnv"]
    assert secret["secretName"] == "models-store"
    assert [entry["envVar"] for entry in secret["keyToEnv"]] == ["AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"]
    assert not any("secretAsEnv" in one for name, one in platform.items() if name != "exec-publish")


def test_the_sdk_cannot_be_had_beside_this_projects_protobuf(tmp_path):
    """Why the SDK is not an extra of the project: if this fails, it can become one."""
    uv = Path(sys.executable).parent / "uv"
    if not uv.exists() and shutil.which("uv") is None:
        pytest.skip("no uv")
    requirements = tmp_path / "requirements.in"
    requirements.write_text(f"{kubeflow.SDK}\nprotobuf>=5.29,<6\n")
    program = str(uv) if uv.exists() else "uv"
    arguments = [program, "pip", "compile", "--system-certs", "--quiet", str(requirements)]
    done = subprocess.run(arguments, capture_output=True, text=True, timeout=300)
    if "No solution found" not in done.stderr and done.returncode != 0:
        pytest.skip(f"not resolved (no network?): {done.stderr.strip()[-300:]}")
    assert done.returncode != 0 and "protobuf" in done.stderr
