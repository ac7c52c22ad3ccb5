"""What a source lacks is named, and where not all of it is, that is said."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st

from eugenie_cli.history.manifest import Item
from eugenie_cli.sources.interface import GAPS, MORE_GAPS, Tally
from eugenie_cli.sources.report import SourceReport
from eugenie_cli.sources.tables import import_notes

SPANS = st.lists(st.lists(st.integers(0, 25).map(str)), max_size=6)
"""The tags that each span of an item lacks."""


@settings(max_examples=30)
@given(SPANS)
def test_all_gaps_are_named_or_that_there_are_more(spans):
    whole = Tally()
    for lacking in spans:
        part = Tally()
        for tag in lacking:
            part.gap(tag)
        whole.add(part)
    distinct = list(dict.fromkeys(tag for lacking in spans for tag in lacking))
    assert whole.gaps[:GAPS] == distinct[:GAPS]
    assert whole.gaps[GAPS:] == [MORE_GAPS] * (len(distinct) > GAPS)


def test_a_report_does_not_pretend_to_know_all_gaps():
    for count, words in [(7, "s: and 2 more gaps (-o json lists them)"), (30, "s: and at least 6 more gaps")]:
        tally = Tally()
        for number in range(count):
            tally.gap(f"tag {number} is not imported")
        report = SourceReport("s")
        report.take("a", Item((), tally.state()), may_be_empty=True)
        notes = list(import_notes([report]))
        assert "s: tag 4 is not imported" in notes
        assert any(note.startswith(words) for note in notes)
