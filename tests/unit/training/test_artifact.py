"""A detector on disk equals the detector that was saved; a failed save leaves no files."""

from __future__ import annotations

from dataclasses import fields
from pathlib import Path

import numpy as np
import pytest
from support import sample_detector

from eugenie_cli.errors import EugenieError
from eugenie_cli.training import artifact


def test_load_gives_back_what_was_saved(tmp_path: Path) -> None:
    saved = sample_detector.detector()
    artifact.save(saved, tmp_path / "model")
    loaded = artifact.load(tmp_path / "model")
    for field in fields(saved):
        before, after = getattr(saved, field.name), getattr(loaded, field.name)
        if field.name in ("scored", "mean", "deviation", "threshold"):
            np.testing.assert_array_equal(before, after)
            assert before.dtype == after.dtype
        elif field.name in ("residual", "level"):
            np.testing.assert_array_equal(before.whitening, after.whitening)
            np.testing.assert_array_equal(before.mean, after.mean)
            np.testing.assert_array_equal(before.deviation, after.deviation)
        elif field.name == "scatter":
            np.testing.assert_array_equal(before.offset, after.offset)
            np.testing.assert_array_equal(before.normal, after.normal)
        elif field.name == "network":
            assert list(before) == list(after)
            for name in before:
                np.testing.assert_array_equal(before[name], after[name])
        else:
            assert before == after, field.name


def test_a_failed_save_leaves_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: object, **__: object) -> None:
        raise OSError("No space left on device")

    monkeypatch.setattr(np, "savez", full)
    with pytest.raises(OSError, match="space"):
        artifact.save(sample_detector.detector(), tmp_path / "model")
    assert list(tmp_path.iterdir()) == []


def test_a_folder_without_a_detector_is_refused(tmp_path: Path) -> None:
    with pytest.raises(EugenieError, match=r"detector\.json"):
        artifact.load(tmp_path)
    artifact.save(sample_detector.detector(), tmp_path / "model")
    with pytest.raises(EugenieError, match="exists"):
        artifact.save(sample_detector.detector(), tmp_path / "model")
    (tmp_path / "model" / "detector.json").write_text('{"schema": "other"}')
    with pytest.raises(EugenieError, match="schema 'other'"):
        artifact.load(tmp_path / "model")


def test_a_detector_with_too_short_a_table_is_refused(tmp_path: Path) -> None:
    artifact.save(sample_detector.detector(), tmp_path / "model")
    with np.load(tmp_path / "model" / artifact.ARRAYS) as archive:
        arrays = dict(archive)
    np.savez(tmp_path / "model" / artifact.ARRAYS, **{**arrays, "residual.mean": arrays["residual.mean"][:-1]})
    with pytest.raises(EugenieError, match=r"each of the 3 assets: residual\.mean has 2") as raised:
        artifact.load(tmp_path / "model")
    assert raised.value.hint == "train the class again"
