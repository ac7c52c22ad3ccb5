"""The project's documents, as text: what they link to, and what their fenced blocks hold."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
README = ROOT / "README.md"
DOCS = [*sorted(ROOT.glob("*.md")), *sorted((ROOT / "docs").rglob("*.md"))]
WRITTEN = [path for path in DOCS if path.name != "cli.md"]
"""All but the generated one."""


def place(path: Path) -> str:
    """A document's path, from the project's root."""
    return str(path.relative_to(ROOT))


named = pytest.mark.parametrize("path", DOCS, ids=place)
written = pytest.mark.parametrize("path", WRITTEN, ids=place)


def text(path: Path) -> str:
    return path.read_text(encoding="utf-8")


def blocks(path: Path, language: str) -> list[str]:
    """The contents of the fenced blocks of a language."""
    return re.findall(rf"^```{language}\n(.*?)^```$", text(path), re.MULTILINE | re.DOTALL)


def links(path: Path) -> list[str]:
    """Targets of Markdown links, as they are written."""
    return re.findall(r"\]\(([^)]+)\)", text(path))


def anchors(path: Path) -> set[str]:
    """What `#...` may name: the headings as they are rendered."""
    headings = re.findall(r"^#+ (.+)$", text(path), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}
