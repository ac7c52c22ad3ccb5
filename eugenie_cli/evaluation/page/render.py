"""Writes the page. Names of assets, sensors and sites are untrusted text, which the template escapes."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from eugenie_cli.errors import EugenieError
from eugenie_cli.evaluation.evaluation_report import EvaluationReport
from eugenie_cli.evaluation.page.template_context import view
from eugenie_cli.files import write_atomically
from eugenie_cli.workspace import shipped

if TYPE_CHECKING:
    from jinja2 import Environment

TEMPLATE, STYLE = "page.html.j2", "style.css"


def render(report: EvaluationReport) -> str:
    """The page as self-contained HTML, without scripts and with a policy that forbids fetching anything."""
    return environment().get_template(TEMPLATE).render(style=style(), **view(report))


def environment() -> Environment:
    """The templates of pages."""
    from jinja2 import Environment, FileSystemLoader, StrictUndefined

    return Environment(
        loader=FileSystemLoader(shipped("templates") / "report"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )


def style() -> str:
    """The style sheet of pages."""
    return (shipped("templates") / "report" / STYLE).read_text(encoding="utf-8")


def write_page(report: EvaluationReport, path: Path) -> None:
    """Write the page atomically. Raises EugenieError if it cannot be written."""
    text = render(report)
    try:
        write_atomically(path, text, mode=0o644)
    except OSError as error:
        raise EugenieError(f"cannot write {path}: {error}", "choose another file with --report") from error
