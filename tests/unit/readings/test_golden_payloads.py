"""Golden payloads: what each gateway's messages become, whoever reads them."""

from __future__ import annotations

import pytest
from golden_cases import Golden, goldens, payload_of, shown

from eugenie_cli.readings.payload import compile_payload


def reference(golden: Golden):
    return compile_payload(golden.mapping, golden.timezone, golden.schema_of)


# Each takes a Golden and gives payload -> outcomes. All must agree with the files.
READERS = {"reference": reference}

CASES = [
    pytest.param(golden, case, id=f"{golden.name}: {case['about']}") for golden in goldens() for case in golden.cases
]


@pytest.mark.parametrize("reader", READERS)
@pytest.mark.parametrize(("golden", "case"), CASES)
def test_payload_becomes_what_the_golden_file_says(golden, case, reader):
    read = READERS[reader](golden)
    assert [shown(outcome) for outcome in read(payload_of(case))] == case["expect"]
