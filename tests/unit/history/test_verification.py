"""`history verify` names every kind of damage, the items that it affects and what to do; `vacuum` removes the rest."""

from __future__ import annotations

import json
import os
import time

import numpy as np
import pytest

from eugenie_cli.history.batch import Batch
from eugenie_cli.history.compaction import compact
from eugenie_cli.history.store import History
from eugenie_cli.history.vacuuming import ABANDONED_S
from eugenie_cli.history.verification import verify


@pytest.fixture(params=[False, True], ids=["plain", "merged"])
def history(request, tmp_path) -> History:
    history = History(tmp_path)
    for name in ("it's a.csv", "b.csv"):
        second = len(name)
        history.commit("s", [Batch.of([("p1", "x", second, 1.0), ("p2", "x", second, np.nan)])], key=name)
    if request.param:
        compact(history, "s")
        history.vacuum(everything=True)
    return history


def flip(path) -> None:
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(content)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("harm", "words"),
    [
        (lambda path: path.unlink(), "it is missing"),
        (flip, "its content has changed"),
        (lambda path: path.write_bytes(path.read_bytes()[:-1]), "its content has changed"),
        (lambda path: path.write_bytes(b""), "its content has changed"),
        (lambda path: (path.unlink(), path.mkdir()), "it cannot be read"),
    ],
    ids=["missing", "flipped", "cut", "empty", "folder"],
)
def test_a_damaged_file_is_named_with_its_items_and_the_next_step(history, harm, words):
    assert verify(history).damaged == ()
    path = min(history.root.rglob("*.parquet"))
    harm(path)
    (damage,) = verify(history).damaged
    own = [key for key, item in history.items("s").items() if any(p.file == damage.file for p in item.parts)]
    assert damage.file == str(path.relative_to(history.root))
    assert words in damage.what
    assert damage.items == tuple(sorted(own))
    assert damage.readings == 2 * len(own)
    assert "eugenie history drop s" in damage.next
    assert "eugenie import s" in damage.next


@pytest.mark.parametrize("change", [{"bad": 0}, {"rows": 3}, {"assets": {"p1": [2, 1, 9]}}])
def test_readings_that_are_not_those_of_the_manifest_are_damage(history, change):
    document = json.loads((history.root / "manifest.json").read_text())
    document["sources"]["s"]["b.csv"]["parts"][0] |= change
    (history.root / "manifest.json").write_text(json.dumps(document))
    (damage,) = verify(History(history.root)).damaged
    assert "its readings of b.csv are not those that the manifest lists" in damage.what


def test_many_damaged_items_are_read_again_together(tmp_path):
    history = History(tmp_path)
    for n in range(9):
        history.commit("s", [Batch.of([("p1", "x", n, 1.0)])], key=f"{n}.csv")
    compact(history, "s")
    flip(tmp_path / next(iter(history.snapshot().by_file)))
    (damage,) = verify(history).damaged
    assert "`eugenie import s --again`" in damage.next


def test_unlisted_files_are_counted_and_removed_and_others_kept(history):
    root = history.root
    (root / "parts" / "s" / "left.parquet.tmp").write_bytes(b"12345")
    (root / "parts" / "gone").mkdir()
    (root / "parts" / "gone" / "old.parquet").write_bytes(b"123")
    old, young = root / ".overlaps.json.00.tmp", root / ".overlaps.json.01.tmp"
    for path in (old, young):
        path.write_bytes(b"1")
    long_ago = time.time() - 2 * ABANDONED_S
    os.utime(old, (long_ago, long_ago))
    report = verify(history)
    assert (report.damaged, report.unlisted, report.unlisted_bytes) == ((), 4, 10)
    with history.writer("gone"):  # removes what was left, then writes
        (root / "parts" / "gone" / "new.parquet").write_bytes(b"123")
        assert history.vacuum(everything=True).busy == ("gone",)
    removed = history.vacuum(everything=True)
    assert (removed.files, removed.size, removed.busy) == (1, 3, ())
    assert young.exists()
    assert not old.exists()
    assert verify(history).unlisted == 1
    assert len(history.read("p1").ts) == 2
