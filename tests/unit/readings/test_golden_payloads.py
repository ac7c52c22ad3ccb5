"""Golden payloads: what each gateway's records become. The stream's SQL answers to the same files."""

from __future__ import annotations

import json
import math
from pathlib import Path

import pytest

from eugenie_cli.readings.payload import compile_payload
from eugenie_cli.readings.reading import Rejected
from eugenie_cli.readings.reasons import REASONS
from eugenie_cli.site.model import ReadingsMapping

GOLDEN = Path(__file__).parents[2] / "golden" / "readings"


def cases() -> list:
    found = []
    for path in sorted(GOLDEN.glob("*.json")):
        document = json.loads(path.read_text(encoding="utf-8"))
        for case in document["cases"]:
            found.append(pytest.param(document, case, id=f"{path.stem}: {case['about']}"))
    return found


def shown(outcome) -> dict:
    if isinstance(outcome, Rejected):
        assert outcome.reason in REASONS
        assert outcome.detail
        return {"rejected": outcome.reason}
    entry = outcome._asdict()
    if math.isnan(entry["value"]):
        entry["value"] = None
    return entry


@pytest.mark.parametrize(("document", "case"), cases())
def test_payload_becomes_what_the_golden_file_says(document, case):
    mapping = ReadingsMapping.model_validate(document["mapping"]).model_dump(mode="json")
    outcomes = compile_payload(mapping, document["timezone"])(case["payload"].encode())
    assert [shown(outcome) for outcome in outcomes] == case["expect"]
