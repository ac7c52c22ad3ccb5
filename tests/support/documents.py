"""The project's documents as text, with their links and fenced blocks."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
README = ROOT / "README.md"
DOCS = [*sorted(ROOT.glob("*.md")), *sorted((ROOT / "docs").rglob("*.md"))]
WRITTEN = [path for path in DOCS if path.name != "cli.md"]
"""All documents except the generated one."""


def place(path: Path) -> str:
    """A document's path relative to the project's root."""
    return str(path.relative_to(ROOT))


named = pytest.mark.parametrize("path", DOCS, ids=place)
written = pytest.mark.parametrize("path", WRITTEN, ids=place)


def text(path: Path) -> str:
    return path.read_text(encoding="utf-8")


def blocks(path: Path, language: str) -> list[str]:
    """The contents of a language's fenced blocks."""
    return re.findall(rf"^```{language}\n(.*?)^```$", text(path), re.MULTILINE | re.DOTALL)


def links(path: Path) -> list[str]:
    """Targets of Markdown links, as written."""
    return re.findall(r"\]\(([^)]+)\)", text(path))


def anchors(path: Path) -> set[str]:
    """Valid targets of `#...`: the anchors of the rendered headings."""
    headings = re.findall(r"^#+ (.+)$", text(path), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}
