"""The glossary is held to the code: what it names exists, and alarms, anomalies and episodes are kept apart."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from support import docstring_names

ROOT = Path(__file__).parents[2]
GLOSSARY = ROOT / "docs" / "glossary.md"

TABLE = re.findall(r"^\| \*\*(.+?)\*\* \| (.+?) \| (.+?) \|$", GLOSSARY.read_text(encoding="utf-8"), re.MULTILINE)

# Records are anomalies, the state machine's state is an episode, and an operator gets alarms.
MIXED = {
    "only anomalies are records": r"\b(?:alarm|episode) records?\b",
    "the topic is that of anomalies": r"\b(?:alarms|episodes)[' ]topic\b|\btopic of (?:alarms|episodes)\b",
    "the state machine is that of episodes": r"\b(?:alarm|anomaly) (?:state )?machine\b",
    "operators have a load of alarms": r"\b(?:anomaly|episode) (?:load|flood)\b",
    "alarms are raised and clear": r"\balarms? (?:opens?|opened|closes?|closed)\b|\b(?:open|closed) alarms?\b",
    "anomalies open and close": r"\banomal(?:y|ies) (?:is |are |was |were )?(?:raised|acknowledged)\b",
    "episodes are not sent": r"\bepisodes? (?:is|are|was|were) (?:raised|sent|acknowledged)\b",
}

PLACES = {
    "Episode": {"episodes", "flink_job"},
    "Alarm": {"episodes", "flink_job", "detection", "evaluation", "site"},
    "Anomaly": {"anomalies", "demo", "evaluation", "flink_job"},
}
"""Packages that may have classes of these names: others have no business with the idea."""


def test_there_are_enough_terms_in_order():
    terms = [term.lower() for term, _, _ in TABLE]
    assert len(terms) > 60
    assert terms == sorted(set(terms))


@pytest.mark.parametrize("row", TABLE, ids=lambda row: row[0])
def test_what_a_term_names_exists(row):
    term, meaning, code = row
    names = re.findall(r"`([^`]+)`", code)
    assert names, term
    for name in names:
        parts = ["eugenie_cli", *name.split(".")]
        assert docstring_names.resolves(parts), f"{term}: {name}"
    assert meaning.endswith("."), term


@pytest.mark.slow
@pytest.mark.parametrize("what", MIXED)
def test_documents_and_docstrings_keep_the_words_apart(what):
    pages = [ROOT / "README.md", *ROOT.glob("docs/**/*.md")]
    documents = [(page, page.read_text(encoding="utf-8")) for page in pages]
    for path, text in [*documents, *docstring_names.docstrings()]:
        found = re.search(MIXED[what], " ".join(text.split()), re.IGNORECASE)
        assert found is None, f"{path.relative_to(ROOT)}: {found[0]!r}: {what}"


@pytest.mark.slow
@pytest.mark.parametrize("word", PLACES)
def test_classes_bear_the_word_only_where_the_idea_lives(word):
    found = {
        package: names
        for package, names in docstring_names.classes_by_package().items()
        if any(word in name for name in names)
    }
    assert found.keys() <= PLACES[word]
