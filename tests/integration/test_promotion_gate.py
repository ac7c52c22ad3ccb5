"""Promotion through the gate: registered versions, the real registry, real exports."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest
from support.registered_plant import registered, sample_detector
from typer.testing import CliRunner

from eugenie_cli.errors import EugenieError, ExitCode
from eugenie_cli.evaluation.request import EvaluationRequest, evaluate_site
from eugenie_cli.main import app
from eugenie_cli.serving import model_info
from eugenie_cli.site.load import load_site, workspace_of
from eugenie_cli.site.schema import Site
from eugenie_cli.training import artifact, mlflow_store, run_record, tracking
from eugenie_cli.training.open_class import open_class
from eugenie_cli.training.registry import Registry

pytestmark = [pytest.mark.integration, pytest.mark.timeout(600)]

# the sample detector is in alarm for four fifths of the quiet rows, and from before the fault
GATE = "\n    promotion: {labels: %s, most_alarm_time: 1, early: 10m}\nassets:"


def register(site: Site, deafness: float, learnt: tuple[str, str] | None = None) -> int:
    """The champion's detector with its thresholds multiplied; it claims to have been trained on these rows."""
    detector = sample_detector.detector()
    with tracking.training_run(open_class(site, "pump")) as run:
        folder = workspace_of(site).root / f"detector-{run.id}"
        artifact.save(replace(detector, threshold=(detector.threshold * deafness).astype("float32")), folder)
        mlflow_store.client(site).log_artifacts(run.id, str(folder), mlflow_store.DETECTOR)
        if learnt is not None:
            mlflow_store.client(site).log_text(run.id, json.dumps({"pump-1": [learnt]}), run_record.LEARNT)
    return Registry(site).register("pump", run.id, run.detector).version


def gated(site: Site, labels: str) -> Path:
    """The same site with a gate."""
    file = site.file.with_name("gated.yaml")
    file.write_text(site.file.read_text().replace("\nassets:", GATE % labels))
    return file


def tags(site: Site, version: int) -> dict[str, str]:
    version_tags = (
        mlflow_store.client(site).get_model_version(mlflow_store.registered_name(site, "pump"), str(version)).tags
    )
    return {
        name.removeprefix("eugenie.gate."): value for name, value in version_tags.items() if "eugenie.gate." in name
    }


def test_the_gate_refuses_is_overruled_and_lets_pass(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "faults.csv").write_text("asset,start,end\npump-1,2026-01-01T00:03:00Z,2026-01-01T00:09:00Z\n")
    site = registered(tmp_path)
    deaf, same = register(site, 1000.0), register(site, 1.0)
    file = gated(site, "faults.csv")
    opened = load_site(file)
    monkeypatch.setenv("LOGNAME", "ada")

    def promote(version: int, *words: str) -> tuple[int, str]:
        done = CliRunner().invoke(app, ["models", "promote", "pump", str(version), "--site", str(file), *words])
        return (getattr(done.exception, "exit_code", 1) if done.exception else 0), str(done.exception)

    def champion() -> int:
        return Registry(site).resolve("pump", "champion").version

    code, output = promote(deaf)
    assert (code, champion()) == (ExitCode.REFUSED, 1)
    assert "faults found: 0 of 1, the champion 1 of 1" in output
    assert "false alarms" not in output  # there is none: only reasons against it can refuse it
    noted = tags(opened, deaf)
    assert (noted["verdict"], noted["champion"], noted["by"]) == ("refused", "1", "")
    assert json.loads(noted["figures"])["champion"]["events"]["detected"] == 1

    assert promote(deaf, "--force")[0] == 0
    assert champion() == deaf
    assert (tags(opened, deaf)["verdict"], tags(opened, deaf)["by"]) == ("forced", "ada")

    Registry(site).rollback("pump")
    assert promote(same)[0] == 0
    assert (champion(), tags(opened, same)["verdict"]) == (same, "passed")
    gates = {version.version: version.gate for version in Registry(opened).versions("pump")}
    assert gates == {1: None, deaf: "forced", same: "passed"}

    forgets = register(site, 1.0, ("2026-01-01T00:00:00Z", "2026-01-01T00:59:59Z"))
    code, output = promote(forgets)
    assert (code, champion()) == (ExitCode.REFUSED, same)
    assert f"version {forgets} was trained on " in output
    partly = register(site, 1.0, ("2026-01-01T00:00:00Z", "2026-01-01T00:00:59Z"))
    assert promote(partly)[0] == 0
    assert "used to train a version are left out" in tags(opened, partly)["reasons"]
    assert json.loads(tags(opened, partly)["figures"])["champion"]["left_out_rows"] == 60
    Registry(site).promote("pump", same)

    gated(site, "nowhere.csv")
    assert "cannot read labels" in promote(deaf)[1]
    assert champion() == same
    assert promote(deaf, "--force")[0] == 0
    assert "could not be judged" in tags(opened, deaf)["reasons"]

    # the champion is deleted: the next trained version does not become champion, and is judged before it does
    client, name = mlflow_store.client(site), mlflow_store.registered_name(site, "pump")
    client.delete_model_version(name, str(deaf))
    late = register(site, 1.0, ("2026-01-01T00:00:00Z", "2026-01-01T00:59:59Z"))
    assert Registry(site).resolve("pump", late).aliases == ("challenger",)
    gated(site, "faults.csv")
    code, output = promote(late)
    assert code == ExitCode.REFUSED and "no version is champion" not in output
    assert tags(opened, late)["champion"] == "none"
    assert promote(same)[0] == 0 and champion() == same
    assert "no champion to compare it with" in tags(opened, same)["reasons"]

    # as with a recreated registry that counts from 1 again: the export in the workspace belongs to another run
    info = workspace_of(site).models / "pump" / str(same) / model_info.LOCATION
    info.write_text(info.read_text().replace(Registry(site).resolve("pump", same).run_id, "of-another-store"))
    with pytest.raises(EugenieError, match="holds the export of run of-another-store") as caught:
        next(iter(evaluate_site(site, EvaluationRequest(version="champion"))))
    assert caught.value.exit_code == ExitCode.REFUSED
    with pytest.raises(EugenieError, match="has no version 99"):
        next(iter(evaluate_site(site, EvaluationRequest(version="99"))))
