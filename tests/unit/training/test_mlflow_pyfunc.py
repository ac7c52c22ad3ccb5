"""A forecaster's table of scores equals the slow reference, row by row, wherever segments are cut."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from support import sample_detector

from eugenie_cli.detection import reference, segments
from eugenie_cli.errors import EugenieError
from eugenie_cli.training import artifact, mlflow_model, mlflow_pyfunc

ROWS = 150


@pytest.fixture(scope="module")
def scorer(tmp_path_factory: pytest.TempPathFactory) -> mlflow_pyfunc.TableScorer:
    folder: Path = tmp_path_factory.mktemp("model") / "detector"
    detector = sample_detector.detector()
    artifact.save(detector, folder)
    mlflow_model.write_mlmodel(detector, {"flow": (None, 1e6)}, folder)
    return mlflow_pyfunc._load_pyfunc(str(folder))


@pytest.mark.slow
@pytest.mark.parametrize("segment", [37, 4096])
def test_scores_are_those_of_the_reference(
    scorer: mlflow_pyfunc.TableScorer, segment: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(segments, "SEGMENT_ROWS", segment)
    detector = sample_detector.detector()
    names = list(detector.assets[:2])
    rows = sample_detector.rows_of(detector, names, ROWS)
    start = np.datetime64("2026-01-01T00:00:00", "ms")
    ts = start + np.arange(ROWS) * np.timedelta64(detector.step_ms, "ms")
    parts = [
        pd.DataFrame(dict(zip(detector.sensors, of_asset.T, strict=True))).assign(timestamp=ts, asset=name)
        for name, of_asset in zip(names, rows, strict=True)
    ]
    scored = scorer.predict(pd.concat(parts).sample(frac=1, random_state=1))
    expected = reference.score(detector, names, rows)
    for number, name in enumerate(names):
        own = scored[(scored["asset"] == name) & (scored["timestamp"] <= ts[-1])]
        got = own["score"].to_numpy()[detector.window - 1 :]
        np.testing.assert_allclose(got, expected.score[number], atol=1e-3)
        assert np.isfinite(got).any()


def test_a_table_without_its_columns_is_refused(scorer: mlflow_pyfunc.TableScorer) -> None:
    with pytest.raises(EugenieError, match="no column asset"):
        scorer.predict(pd.DataFrame({"timestamp": ["2026-01-01T00:00:00Z"], "flow": [1.0]}))
    with pytest.raises(EugenieError, match="column flow"):
        scorer.predict(pd.DataFrame({"timestamp": ["2026-01-01T00:00:00Z"], "asset": ["pump-1"], "flow": ["high"]}))


def test_columns_of_the_table_give_way_to_sensors_of_that_name() -> None:
    assert mlflow_pyfunc._free("asset", ("asset", "flow")) == "_asset"
    assert mlflow_pyfunc._free("timestamp", ("asset", "flow")) == "timestamp"
