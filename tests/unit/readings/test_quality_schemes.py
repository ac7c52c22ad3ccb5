"""Quality codes, scheme by scheme: a code that the scheme does not define is bad or refused, never good."""

from __future__ import annotations

import json
import math

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from eugenie_cli.readings.columns.qualities import Qualities
from eugenie_cli.readings.payload import compile_payload
from eugenie_cli.readings.quality import SCHEMES
from eugenie_cli.readings.reading import Rejected

GOOD, BAD, REFUSED = "good", "bad", "refused"

TABLE = {
    "opcda": {
        GOOD: "192 193 194 195 216 219 200 64 68 80 84 88 192.0 64.00 192, 0xC0 0x40",
        BAD: "0 4 8 12 16 20 24 28 128 191 0.0 0x18 256 257 258 259 260 261 300 301 310 330 340 403 404 410 500 512 600"
        " 704 900 901 902 1023 16576 65472 65535 500.0 0x1F4",
        REFUSED: "-1 65536 192.5 1e2 good true -2147483136 1073742080 99999999999 0x 0x1C0FFFFFF",
    },
    "ignition": {
        GOOD: "192 200 201 216 64 192.0 256 257 258 259 260 261 1073742080 0x40000100 Good Good_Unspecified"
        " Good_Provisional Uncertain_InitialValue",
        BAD: "0 24 262 300 340 410 500 512 516 528 600 704 768 65535 65536 -2147483136 2147484160 -2147483148 -1"
        " 4294967295 -1073741056"
        " Bad Bad_Stale Error Error_ExpressionEval Bad_NotConnected",
        REFUSED: "192.5 4294967296 -2147483649 maybe",
    },
    "opcua": {
        GOOD: "0 0.0 1024 1025 1026 3145728 9830400 16384 32768 1073741824 1083179008 Good GoodClamped Uncertain"
        " UncertainLastUsableValue GoodLocalOverride StatusGood 0x0 0x00000000",
        BAD: "2147483648 -2147483648 2150891520 -1 3221225472 0x80340000 0x809B0000 10813440 Bad BadNoData"
        " BadBoundNotFound BadBoundNotSupported GoodNoData StatusBadNoData -2147483136 2147484160",
        REFUSED: "192 64 24 1 256 257 258 259 260 261 500 512 704 900 1023 2048 1073742080 268435456 4294967296 true",
    },
    "boolean": {
        GOOD: "true TRUE True 1 1.0",
        BAD: "false False 0 0.0",
        REFUSED: "2 192 -1 0.5 good yes 10 01 500",
    },
    "words": {
        GOOD: "Good GOOD good_unspecified GOOD_UNCERTAIN GoodClamped Uncertain Uncertain_InitialValue ok Valid Suspect"
        " Doubtful G U Raw Interpolated Questionable Manual",
        BAD: "Bad BAD_STALE BadNoData Bad_Stale Error Error_ExpressionEval Invalid Stale Fault Failed B Offline Null"
        " Unknown GoodNoData nan Shutdown Good/Bad",
        REFUSED: "192 0 500 1.0 0xC0 goodish Goodbye betterThanNothing",
    },
}
PHRASES = {
    GOOD: [
        *("Good, Non-specific", "Local Override", "Last Known", "OK (0x0)", "Uncertain, Eng Units Exceeded"),
        *("The operation succeeded. StatusGoodClamped (0x300000)", "0x40900000"),
        "Communication to the data source has failed. StatusUncertainNoCommunicationLastUsableValue (0x408F0000)",
        *("Good (0x00000000)", "The operation succeeded. StatusGood (0x0)", "StatusUncertain (0x40000000)"),
    ],
    BAD: [
        *("Bad - Comm Failure", "Not Connected", "Out of Service", "Comm Failure", "Device Failure", "Sensor Failure"),
        *("Configuration Error", "No Data", "I/O Timeout", "not good", "Good (Bad)", "Good (0x80000000)", "Bad (0x0)"),
        *(
            "The operation failed. StatusBad (0x80000000)",
            "0x80340000",
            "A value without a period StatusBad (0x80000000)",
        ),
        *("BadNoData (0x809B0000)", "Good No Data", "Scan Off", "Intf Shut"),
    ],
    REFUSED: ["it depends", "(0x0)", "0x0", "0xC0", "0x00000000", "Good (0x1F4)", "?!", "0x0 (0x0)"],
}


def verdict_on(scheme: str, text: str) -> str:
    try:
        return GOOD if SCHEMES[scheme](text) else BAD
    except ValueError:
        return REFUSED


@pytest.mark.parametrize("scheme", TABLE)
def test_codes_are_read_as_their_scheme_defines(scheme):
    expected = {text: verdict for verdict, texts in TABLE[scheme].items() for text in texts.split()}
    assert {text: verdict_on(scheme, text) for text in expected} == expected


def test_phrases_are_read_by_their_words():
    expected = {text: verdict for verdict, texts in PHRASES.items() for text in texts}
    assert {text: verdict_on("words", text) for text in expected} == expected


@pytest.mark.slow
@pytest.mark.parametrize(("scheme", "good"), [("opcda", []), ("ignition", [256, 257, 258, 259, 260, 261])])
def test_no_error_between_a_byte_and_32_bits_is_good(scheme, good):
    codes = (*range(256, 70_000), *range(2**31, 2**31 + 2000))
    assert [code for code in codes if verdict_on(scheme, str(code)) == GOOD] == good


def test_no_code_of_another_system_is_a_valid_status_code():
    """The codes 1 to 1023 of OPC DA, Sparkplug and Ignition are not OPC UA status codes."""
    assert {verdict_on("opcua", str(code)) for code in range(1, 1024)} == {REFUSED}


@settings(deadline=None)
@given(code=st.integers(0, 2**32 - 1))
@example(code=0x8000_0000)
@example(code=0xC000_0000)
def test_a_code_means_the_same_in_every_notation(code):
    signed = code - 2**32 if code >= 2**31 else code
    for scheme in ("opcua", "ignition"):
        answers = {
            verdict_on(scheme, text) for text in (str(code), str(signed), f"{code}.0", hex(code), f"0x{code:08X}")
        }
        assert len(answers) == 1, (scheme, code)
        if code >= 2**31:
            assert answers == {BAD}


TEXTS = sorted({text for verdicts in TABLE.values() for texts in verdicts.values() for text in texts.split()})
MEMBERS = st.one_of(
    st.sampled_from([*TEXTS, "", " 192 ", *(text for texts in PHRASES.values() for text in texts)]),
    st.sampled_from([192, 0, 500, 256, 64, 1, -2147483136, 192.0, 0.0, 1.0, 500.0, 64.5, True, False, None]),
    st.integers(-(2**31), 2**32),
    st.sampled_from([{}, {"Code": 0}, [], [192]]),
)


@pytest.mark.slow
@pytest.mark.parametrize("scheme", TABLE)
@settings(deadline=None)
@given(members=st.lists(MEMBERS, max_size=8))
def test_columns_read_qualities_like_the_rule(scheme, members):
    mapping = {"asset": {"const": "a"}, "tag": {"const": "t"}, "quality": {"path": "q", "scheme": scheme}}
    read, expected = compile_payload(mapping, "UTC"), []
    for member in members:
        payload = json.dumps({"ts": "2026-01-01T00:00:00Z", "value": 1.5, "q": member})
        (outcome,) = read(payload.encode())
        expected.append(REFUSED if isinstance(outcome, Rejected) else BAD if math.isnan(outcome.value) else GOOD)
    qualities = Qualities(mapping["quality"])
    for _again in range(2):
        good, readable = qualities.of_members(members)
        for verdict, is_good, is_read, member in zip(expected, good, readable, members, strict=True):
            # qualities that the columns do not read are left to the rule
            assert verdict == (GOOD if is_good else BAD) if is_read else not is_good, member
    texts = [member for member in members if isinstance(member, str)]
    good, readable = qualities.of_column(pa.array(texts, pa.string()))
    of_texts = [verdict for verdict, member in zip(expected, members, strict=True) if isinstance(member, str)]
    assert np.where(readable, np.where(good, GOOD, BAD), REFUSED).tolist() == of_texts
