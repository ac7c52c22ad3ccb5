"""Golden payloads: the readings of each gateway's messages, for every reader."""

from __future__ import annotations

import pytest
from support.golden_cases import Golden, goldens, payload_of, shown

from eugenie_cli.readings.columns.reader import compile_columns
from eugenie_cli.readings.payload import compile_payload
from eugenie_cli.readings.reading import Reading


def reference(golden: Golden):
    return compile_payload(golden.mapping, golden.timezone, golden.schema_of)


# Each maps a Golden to a function payload -> outcomes. All must agree with the files.
READERS = {"reference": reference}

CASES = [
    pytest.param(golden, case, id=f"{golden.name}: {case['about']}") for golden in goldens() for case in golden.cases
]


@pytest.mark.slow
@pytest.mark.parametrize("reader", READERS)
@pytest.mark.parametrize(("golden", "case"), CASES)
def test_a_payload_gives_the_outcomes_in_the_golden_file(golden, case, reader):
    read = READERS[reader](golden)
    assert [shown(outcome) for outcome in read(payload_of(case))] == case["expect"]


@pytest.mark.parametrize("golden", goldens(), ids=lambda golden: golden.name)
def test_a_batch_gives_the_outcomes_in_the_golden_file(golden):
    names: dict = {}
    read = compile_columns(
        golden.mapping, golden.timezone, lambda *identity: names.setdefault(identity, len(names)), golden.schema_of
    )
    cases = golden.cases * 2  # the second half uses the caches that the first filled
    columns = read([payload_of(case) for case in cases])
    identities = list(names)
    outcomes_of: list[list] = [[] for _ in cases]
    for message, place, ts, value in zip(columns.message, columns.place, columns.ts, columns.value, strict=True):
        reading = Reading(*identities[place], int(ts), float(value), bool(value == value))
        outcomes_of[message].append(shown(reading))
    for message, rejected in columns.rejected:
        outcomes_of[message].append(shown(rejected))
    for case, outcomes in zip(cases, outcomes_of, strict=True):
        assert sorted(outcomes, key=repr) == sorted(case["expect"], key=repr), case["about"]
