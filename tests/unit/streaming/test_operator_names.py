"""Operators as status names them: by the steps of the job, whatever Flink calls them."""

from __future__ import annotations

import pytest

from eugenie_cli.streaming.metrics import steps_of

FIRST = (
    "Source: KafkaSource-default_catalog.default_database.source -> Calc[2] -> PythonCalc[3] -> Calc[4] ->"
    " TableToDataStream -> DataStreamToTable -> Calc[7] -> WatermarkAssigner[8] -> Correlate[9] -> Calc[10] ->"
    " SinkConversion[11]"
)
SECOND = (
    "detect -> DataStreamToTable -> (Calc[13] -> Correlate[14] -> Calc[15] -> anomalies[16]: Writer ->"
    " anomalies[16]: Committer, Calc[17] -> Correlate[18] -> Calc[19] -> scores[20]: Writer -> scores[20]: Committer)"
)


@pytest.mark.parametrize(
    ("chain", "steps"),
    [
        (FIRST, "read, decode"),
        (SECOND, "detect, write"),
        ("Source: KafkaSource-x.y.source", "read"),
        ("Calc[2] -> PythonCalc[3] -> Calc[4]", "decode"),
        ("detect", "detect"),
        ("scores[20]: Writer -> scores[20]: Committer", "write"),
        ("Map -> Filter", "Map -> Filter"),
    ],
)
def test_a_chain_is_named_by_its_steps(chain, steps):
    assert steps_of(chain) == steps
