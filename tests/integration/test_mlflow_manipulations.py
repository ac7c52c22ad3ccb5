"""What others do in MLflow: they delete, restore, move and rename, and files get lost. Every command has words for it.

Each manipulation is made in a copy of a plant, with a real store; the copying itself is one of them.
"""

from __future__ import annotations

import shutil
import sqlite3
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from mlflow import MlflowClient
from support.tracked_plant import NAME, Outcome, Plant, trained

from eugenie_cli.training.registry import Registry

pytestmark = [pytest.mark.integration, pytest.mark.timeout(900)]

Manipulation = Callable[[Plant], None]


@pytest.fixture(scope="module")
def original(tmp_path_factory: pytest.TempPathFactory) -> Plant:
    return trained(tmp_path_factory.mktemp("original") / "plant")


def mlflow(plant: Plant) -> MlflowClient:
    """MLflow's client, as other people's programs use it."""
    return MlflowClient(tracking_uri=plant.store, registry_uri=plant.store)


def run_of(plant: Plant, version: int) -> str:
    return str(mlflow(plant).get_model_version(NAME, str(version)).run_id)


def experiment_of(plant: Plant) -> str:
    experiment = mlflow(plant).get_experiment_by_name("plant")
    assert experiment is not None
    return str(experiment.experiment_id)


def artifacts(plant: Plant) -> Path:
    return plant.workspace / "mlflow" / "artifacts"


def collect_garbage(plant: Plant) -> None:
    Registry(plant.site).versions(
        "pump"
    )  # before it is opened, a copy's addresses are the original's: gc deletes there
    subprocess.run(
        [sys.executable, "-m", "mlflow", "gc", "--backend-store-uri", plant.store],
        check=True, capture_output=True, timeout=120, env={"MLFLOW_TRACKING_URI": plant.store, "PATH": "/usr/bin:/bin"},
    )  # fmt: skip


# -- deletions ----------------------------------------------------------------------------------------------------


def delete_experiment(plant: Plant) -> None:
    mlflow(plant).delete_experiment(experiment_of(plant))


def delete_and_restore_experiment(plant: Plant) -> None:
    number = experiment_of(plant)
    mlflow(plant).delete_experiment(number)
    mlflow(plant).restore_experiment(number)


def delete_experiment_for_good(plant: Plant) -> None:
    delete_experiment(plant)
    collect_garbage(plant)


def rename_experiment(plant: Plant) -> None:
    mlflow(plant).rename_experiment(experiment_of(plant), "another")


def delete_run_of_champion(plant: Plant) -> None:
    mlflow(plant).delete_run(run_of(plant, 1))


def delete_runs_for_good(plant: Plant) -> None:
    for version in (1, 2, 3):
        mlflow(plant).delete_run(run_of(plant, version))
    collect_garbage(plant)


def delete_run_of_champion_for_good(plant: Plant) -> None:
    delete_run_of_champion(plant)
    collect_garbage(plant)


def delete_champion(plant: Plant) -> None:
    mlflow(plant).delete_model_version(NAME, "1")


def delete_former_champion(plant: Plant) -> None:
    mlflow(plant).delete_model_version(NAME, "2")


def delete_versions(plant: Plant) -> None:
    for version in (1, 2, 3):
        mlflow(plant).delete_model_version(NAME, str(version))


def delete_model(plant: Plant) -> None:
    mlflow(plant).delete_registered_model(NAME)


def delete_model_without_exports(plant: Plant) -> None:
    delete_model(plant)
    shutil.rmtree(plant.workspace / "models")


def rename_model(plant: Plant) -> None:
    mlflow(plant).rename_registered_model(NAME, "plant.old")


# -- aliases and versions of others -------------------------------------------------------------------------------


def move_alias(plant: Plant) -> None:
    mlflow(plant).set_registered_model_alias(NAME, "champion", "3")


def delete_alias(plant: Plant) -> None:
    mlflow(plant).delete_registered_model_alias(NAME, "champion")


def give_other_aliases(plant: Plant) -> None:
    mlflow(plant).set_registered_model_alias(NAME, "production", "1")
    mlflow(plant).set_registered_model_alias(NAME, "challenger", "1")


def edit_former_champions(plant: Plant) -> None:
    mlflow(plant).set_registered_model_tag(NAME, "eugenie.former_champions", "the second")


def former_champions_of_another_kind(plant: Plant) -> None:
    mlflow(plant).set_registered_model_tag(NAME, "eugenie.former_champions", '[99, "x", null]')


def register_something_else(plant: Plant) -> None:
    client = mlflow(plant)
    run = client.create_run(client.create_experiment("somebody's"))
    client.create_model_version(NAME, f"{run.info.artifact_uri}/model", run.info.run_id)
    client.set_registered_model_alias(NAME, "champion", "4")


def register_without_run(plant: Plant) -> None:
    mlflow(plant).create_model_version(NAME, str(plant.folder))
    mlflow(plant).set_registered_model_alias(NAME, "champion", "4")


# -- files --------------------------------------------------------------------------------------------------------


def lose_artifacts(plant: Plant) -> None:
    shutil.rmtree(artifacts(plant))


def lose_database(plant: Plant) -> None:
    (plant.workspace / "mlflow" / "mlflow.db").unlink()


def lose_store(plant: Plant) -> None:
    shutil.rmtree(plant.workspace / "mlflow")


def empty_database(plant: Plant) -> None:
    (plant.workspace / "mlflow" / "mlflow.db").write_bytes(b"")


def damage_database(plant: Plant) -> None:
    (plant.workspace / "mlflow" / "mlflow.db").write_bytes(b"no database" * 1000)


def cut_database(plant: Plant) -> None:
    file = plant.workspace / "mlflow" / "mlflow.db"
    file.write_bytes(file.read_bytes()[:100_000])


def database_of_another_release(plant: Plant) -> None:
    with sqlite3.connect(plant.workspace / "mlflow" / "mlflow.db") as connection:
        connection.execute("UPDATE alembic_version SET version_num = 'ffffffffffff'")


def someone_elses_experiment(plant: Plant) -> None:
    lose_store(plant)
    (plant.workspace / "mlflow").mkdir()
    mlflow(plant).create_experiment("plant", artifact_location=(plant.folder / "mlruns" / "1").as_uri())


def cut(plant: Plant, name: str) -> None:
    files = list(artifacts(plant).rglob(name))
    assert files, f"no run has {name}"
    for file in files:
        file.write_bytes(file.read_bytes()[: file.stat().st_size // 2])


def cut_detectors(plant: Plant) -> None:
    cut(plant, "detector.npz")


def cut_records(plant: Plant) -> None:
    for name in ("learnt.json", "periods.json", "MLmodel", "model_card.md"):
        cut(plant, name)


def copy_only(plant: Plant) -> None:
    """Nothing else: a backup that was restored elsewhere."""


KEPT = [
    copy_only, delete_experiment, delete_and_restore_experiment, delete_experiment_for_good, rename_experiment,
    delete_run_of_champion, delete_run_of_champion_for_good, delete_runs_for_good, delete_champion,
    delete_former_champion, delete_versions, delete_model, delete_model_without_exports, rename_model, move_alias,
    delete_alias, give_other_aliases, edit_former_champions, former_champions_of_another_kind,
    register_something_else, register_without_run, lose_artifacts, lose_database, lose_store, empty_database,
    damage_database, cut_database, database_of_another_release, someone_elses_experiment,
    cut_detectors,
    cut_records,
]  # fmt: skip

COMMANDS = (
    ["models", "list"],
    ["models", "drift"],
    ["models", "sync"],
    ["serve", "status"],
    ["export"],
    ["train"],
    ["models", "rollback", "pump"],
    ["models", "promote", "pump", "2"],
    ["train", "--again"],
)
"""In this order, so that a command also meets what the ones before it made of the manipulation."""

SLOW = (delete_model, register_something_else, lose_artifacts, cut_records)
"""Manipulations after which a version is also evaluated, which takes seconds."""


def fingerprint_of(folder: Path) -> dict[str, tuple[int, int]]:
    """Size and time of every file below a folder."""
    return {str(file): (file.stat().st_size, file.stat().st_mtime_ns) for file in folder.rglob("*") if file.is_file()}


def check(outcome: Outcome, words: list[str]) -> None:
    """A command either succeeds, or says what is wrong and what to do."""
    assert not outcome.crash, f"{words}\n{outcome.crash}"
    if outcome.error and not outcome.error.startswith("exit code"):
        assert outcome.hint, f"{words}: {outcome.error}: no way out"
    assert "Traceback" not in outcome.said


def aliases(plant: Plant) -> dict[int, tuple[str, ...]]:
    return {version.version: version.aliases for version in Registry(plant.site).versions("pump")}


@pytest.mark.parametrize("manipulation", KEPT, ids=lambda manipulation: manipulation.__name__)
def test_every_command_has_words_for_it(manipulation: Manipulation, original: Plant, tmp_path: Path) -> None:
    before = fingerprint_of(original.folder)
    plant = original.copied(tmp_path / "restored")
    manipulation(plant)
    for words in COMMANDS:
        champion = champion_of(plant)
        outcome = plant.run(*words)
        check(outcome, words)
        if words[0] == "train" and not outcome.error:
            assert champion_of(plant) == champion, f"{words} made a version champion"
    if manipulation in SLOW:
        check(plant.run("evaluate"), ["evaluate"])
        check(plant.run("evaluate", "--model-version", "1", "--candidate", "2"), ["evaluate"])
    assert fingerprint_of(original.folder) == before, "the copy wrote into the original"


def champion_of(plant: Plant) -> int | None:
    """The champion's number; None if there is none, or the store cannot be read."""
    try:
        return Registry(plant.site).champion("pump")
    except Exception:  # noqa: BLE001 - the command under test reports it
        return None


def remove_exports(plant: Plant) -> None:
    shutil.rmtree(plant.workspace / "models" / "pump")


LEADS = [
    (delete_experiment, ["train", "--again"]),
    (someone_elses_experiment, ["train"]),
    (delete_alias, ["models", "drift"]),
    (delete_champion, ["export"]),
    (delete_model, ["export"]),
]


@pytest.mark.parametrize(("manipulation", "words"), LEADS, ids=lambda value: getattr(value, "__name__", ""))
def test_the_commands_of_the_hints_lead_out(
    manipulation: Manipulation, words: list[str], original: Plant, tmp_path: Path
) -> None:
    plant = original.copied(tmp_path / "restored")
    remove_exports(plant)
    manipulation(plant)
    outcome = plant.run(*words)
    assert outcome.error
    for _ in range(3):
        assert outcome.ways_out, f"{outcome.error}: {outcome.hint}"
        plant.follow(outcome.ways_out[0])
        outcome = plant.run(*words)
        if not outcome.error:
            return
    raise AssertionError(f"{outcome.error}: {outcome.hint}")


def test_damaged_artifacts_are_replaced_by_training(original: Plant, tmp_path: Path) -> None:
    plant = original.copied(tmp_path / "restored")
    remove_exports(plant)
    cut_detectors(plant)
    refused = plant.run("export")
    assert "version 1: its detector is unreadable" in refused.error and "`eugenie train --class pump`" in refused.hint
    assert not plant.run("train").error, "a version that cannot be read is not kept"
    assert plant.run("models", "promote", "pump", "4").error == ""
    assert plant.run("export").error == ""
    assert Registry(plant.site).champion("pump") == 4


def test_rollback_returns_to_a_champion_that_is_left(original: Plant, tmp_path: Path) -> None:
    plant = original.copied(tmp_path / "restored")
    assert plant.run("models", "promote", "pump", "3").error == ""  # after 1, 2 and 1 again
    delete_champion(plant)
    assert plant.run("models", "rollback", "pump").error == ""
    assert Registry(plant.site).champion("pump") == 2


def test_a_class_that_had_versions_gets_no_champion_by_training(original: Plant, tmp_path: Path) -> None:
    """Its exports, or its runs in the experiment, tell that a first version of a registry is not the class's first."""
    for number, forget in enumerate((lambda _: None, lambda plant: shutil.rmtree(plant.workspace / "models"))):
        plant = original.copied(tmp_path / str(number))
        delete_model(plant)
        forget(plant)
        done = plant.run("train", "--again")
        assert "has no champion" in done.said and not done.error
        [(version, held)] = [(each.version, each.aliases) for each in Registry(plant.site).versions("pump")]
        assert held == ("challenger",)
        assert version == (3 if number == 0 else 1), "versions 1 and 2 are exported"
    plant = original.copied(tmp_path / "new")
    shutil.rmtree(plant.workspace / "models")
    lose_store(plant)
    assert plant.run("train").error == ""
    assert Registry(plant.site).champion("pump") == 1, "nothing is left of the class: it begins anew"
