"""A tracking store that was copied or moved reads and writes the artifacts next to it, and nothing else changes."""

from __future__ import annotations

import json
import shutil
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from eugenie_cli.engines import store_location

TABLES = """
CREATE TABLE experiments (experiment_id INTEGER, artifact_location VARCHAR(256));
CREATE TABLE runs (run_uuid VARCHAR(32), name VARCHAR(250), artifact_uri VARCHAR(200), experiment_id INTEGER);
CREATE TABLE model_versions (version INTEGER, source VARCHAR(500), storage_location VARCHAR(500));
CREATE TABLE logged_models (model_id VARCHAR(500), artifact_location VARCHAR(1000));
CREATE TABLE datasets (name VARCHAR(500), dataset_source TEXT);
CREATE TABLE params (key VARCHAR(250), value VARCHAR(8000));
"""


def store(workspace: Path) -> Path:
    """A store with a run, as training leaves it, without MLflow's other tables."""
    database = workspace / "mlflow" / "mlflow.db"
    root = (workspace / "mlflow" / "artifacts").as_uri()
    (workspace / "mlflow" / "artifacts" / "r1" / "artifacts").mkdir(parents=True)
    with closing(sqlite3.connect(database)) as connection, connection:
        connection.executescript(TABLES)
        connection.execute("INSERT INTO experiments VALUES (1, ?)", (root,))
        connection.execute("INSERT INTO experiments VALUES (2, 'file:///somewhere/else/mlflow/artifacts')")
        connection.execute("INSERT INTO experiments VALUES (3, 's3://bucket/mlflow/artifacts')")
        connection.execute("INSERT INTO runs VALUES ('r1', ?, ?, 1)", (root, f"{root}/r1/artifacts"))
        connection.execute("INSERT INTO runs VALUES ('r2', 'x', 'file:///somewhere/else/mlflow/artifacts/r2', 2)")
        version = f"{root}/r1/artifacts/detector"
        connection.execute("INSERT INTO model_versions VALUES (1, ?, ?)", (version, version))
        connection.execute(
            "INSERT INTO model_versions VALUES (2, ?, NULL)", ((workspace.parent / "workspace").as_uri(),)
        )
        connection.execute("INSERT INTO logged_models VALUES ('m', ?)", (f"{root}/models/m",))
        source = json.dumps({"uri": (workspace / "history").as_uri()})
        connection.execute("INSERT INTO datasets VALUES ('d', ?)", (source,))
        connection.execute("INSERT INTO params VALUES ('where', ?)", (version,))
    return database


def content(database: Path) -> dict[str, list[tuple]]:
    with closing(sqlite3.connect(database)) as connection:
        tables = [name for (name,) in connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'")]
        return {table: connection.execute(f"SELECT * FROM {table}").fetchall() for table in tables}


def in_place_of(rows: dict[str, list[tuple]], old: str, new: str) -> dict[str, list[tuple]]:
    """The content in which addresses in `old` are in `new`; names and parameters keep what they are."""

    def cell(table: str, column: int, value: object) -> object:
        if table == "params" or (table, column) == ("runs", 1) or not isinstance(value, str):
            return value
        return value.replace(f"{old}/", f"{new}/")

    return {
        table: [tuple(cell(table, column, value) for column, value in enumerate(row)) for row in of_table]
        for table, of_table in rows.items()
    }


# A name may be the beginning of another, and contain characters that mean something to a URI or to SQL.
PLACES = ["restored", "work-2", "work/inner", "a b%_'é"]


@pytest.mark.parametrize("recorded", [True, False], ids=["recorded", "of an earlier release"])
@pytest.mark.parametrize("move", [shutil.copytree, shutil.move], ids=["copied", "moved"])
@pytest.mark.parametrize("place", PLACES)
def test_addresses_follow_the_store(tmp_path: Path, place: str, move: object, recorded: bool) -> None:
    old, new = tmp_path / "work", tmp_path / place
    database = store(old)
    if recorded:
        assert not store_location.settle(database)
    before = content(database)
    if place.startswith("work/"):
        move(str(old), str(tmp_path / "aside"))  # type: ignore[operator]
        shutil.copytree(tmp_path / "aside", new, dirs_exist_ok=True)
    else:
        move(str(old), str(new))  # type: ignore[operator]
    moved = new / "mlflow" / "mlflow.db"
    assert store_location.settle(moved)
    assert content(moved) == in_place_of(before, old.as_uri(), new.as_uri())
    assert not store_location.settle(moved), "it is settled"
    if (old / "mlflow" / "mlflow.db").exists():
        assert content(old / "mlflow" / "mlflow.db") == before, "the original is not touched"


def test_a_store_that_is_reached_by_a_link_has_not_moved(tmp_path: Path) -> None:
    database = store(tmp_path / "work")
    store_location.settle(database)
    before = content(database)
    (tmp_path / "link").symlink_to(tmp_path / "work")
    assert not store_location.settle(tmp_path / "link" / "mlflow" / "mlflow.db")
    assert content(database) == before


def test_a_copy_of_a_copy(tmp_path: Path) -> None:
    store_location.settle(store(tmp_path / "work"))
    for number in range(3):
        source = tmp_path / ("work" if number == 0 else f"copy-{number - 1}")
        shutil.copytree(source, tmp_path / f"copy-{number}")
        assert store_location.settle(tmp_path / f"copy-{number}" / "mlflow" / "mlflow.db")
    [_, address] = [row[2] for row in content(tmp_path / "copy-2" / "mlflow" / "mlflow.db")["runs"]][::-1]
    assert address == (tmp_path / "copy-2/mlflow/artifacts/r1/artifacts").as_uri()


def test_a_new_store_is_recorded_and_a_damaged_one_is_an_error(tmp_path: Path) -> None:
    database = tmp_path / "work" / "mlflow" / "mlflow.db"
    database.parent.mkdir(parents=True)
    assert not store_location.settle(database)
    assert database.with_name(store_location.RECORD).read_text().strip() == (tmp_path / "work").as_uri()
    shutil.copytree(tmp_path / "work", tmp_path / "copy")
    (tmp_path / "copy" / "mlflow" / "mlflow.db").write_bytes(b"no database" * 1000)
    with pytest.raises(sqlite3.DatabaseError):
        store_location.settle(tmp_path / "copy" / "mlflow" / "mlflow.db")
