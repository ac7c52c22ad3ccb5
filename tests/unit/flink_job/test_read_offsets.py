"""A topic that was made anew is recognised by its offsets, in every task, and after a restart as well."""

from __future__ import annotations

import pytest

from eugenie_cli.flink_job.read_offsets import ReadOffsets, TopicRecreatedError


def test_offsets_grow_and_may_have_gaps():
    offsets = ReadOffsets("readings")
    for heard in ({0: (0, 9)}, {0: (10, 10), 1: (500, 600)}, {}, {0: (900, 950)}):  # retention, markers
        offsets.hear(heard)
    assert offsets.offsets == {0: 950, 1: 600}


@pytest.mark.parametrize("heard", [{0: (0, 5)}, {0: (100, 100)}, {1: (7, 7), 0: (3, 150)}])
def test_a_topic_that_was_made_anew_is_refused_in_words(heard):
    offsets = ReadOffsets("readings", [{0: 60}, None, {0: 100, 1: 5}])
    with pytest.raises(TopicRecreatedError, match=r"topic readings was recreated, .* partition 0, offset \d+ comes"):
        offsets.hear(heard)
    assert offsets.offsets[0] == 100
