"""Lists of good, uncertain and bad codes before the scheme, and the schemes of FactoryTalk and AVEVA Historian."""

from __future__ import annotations

import pyarrow as pa
import pytest

from eugenie_cli.readings.columns.qualities import Qualities
from eugenie_cli.readings.quality import compile_quality

REFUSED = None
LISTS = {"good": ["0", "OK", "64..127"], "bad": ["2", "0x80000000..0xFFFFFFFF", "Kein Wert"], "uncertain": ["U"]}
ONLY_GOOD = {"good": ["192..219"]}


@pytest.mark.parametrize(
    ("part", "text", "expected"),
    [
        (LISTS, "0", True), (LISTS, "0.0", True), (LISTS, "0x0", True), (LISTS, "100", True), (LISTS, "128", REFUSED),
        (LISTS, "ok", True), (LISTS, "2", False), (LISTS, "2,0", False), (LISTS, "0x80AB0000", False),
        (LISTS, "2158690304", False), (LISTS, "KEIN WERT", False), (LISTS, "u", True), (LISTS, "Bad", False),
        (LISTS, "Good", True), (LISTS, "perhaps", REFUSED),
        (ONLY_GOOD, "192", True), (ONLY_GOOD, "219.0", True), (ONLY_GOOD, "24", False), (ONLY_GOOD, "perhaps", False),
        ({"scheme": "opcda", "bad": ["64..127"]}, "64", False), ({"scheme": "opcda", "bad": ["64..127"]}, "192", True),
        ({"scheme": "opcda", "good": ["24"]}, "24", True), ({"scheme": "opcda", "bad": ["64"]}, "x", REFUSED),
        ({"bad": ["uncertain"]}, "Uncertain", False), ({"bad": ["uncertain"]}, "good", True),
        ({"scheme": "opcda"}, "0xC0", True), ({"scheme": "opcda"}, "192.0", True),
        ({"scheme": "ignition"}, "192.0", True),
        *(({"scheme": "factorytalk"}, letter, False) for letter in "DESUdesu"),
        ({"scheme": "factorytalk"}, "Good", True),
        *(({"scheme": "wonderware"}, code, True) for code in ("0", "16", "133", "192", "0.0", "Good")),
        *(({"scheme": "wonderware"}, code, False) for code in ("1", "24", "248", "249", "65536", "Bad")),
        *(({}, word, True) for word in ("Initial Value", "Annotated", "Estimated", "Good NonCascade")),
        *(({}, word, False) for word in ("No Status", "Initial", "Uninitialized", "Unreliable", "Not Initialized")),
    ],
)  # fmt: skip
def test_one_code(part, text, expected):
    try:
        good = compile_quality(part)(text)
    except ValueError:
        good = REFUSED
    assert good is expected
    is_good, known = Qualities(part).of_column(pa.array([text, None, f" {text}"]))
    assert known.tolist() == [good is not REFUSED, True, good is not REFUSED]
    assert is_good[0] == bool(good) and is_good[1]


def test_a_code_in_no_list_is_refused_with_what_to_write():
    with pytest.raises(ValueError, match="it is in none of the lists `good`, `bad` and `uncertain`"):
        compile_quality(LISTS)("128")
