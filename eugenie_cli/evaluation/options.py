"""What an evaluation is asked for: the rows, the versions, and what becomes of the records."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from eugenie_cli.site.labels import Labels


@dataclass(frozen=True)
class EvaluationOptions:
    """Which version is judged, on which rows. By default the champion, on all history, beside the baselines."""

    labels: Labels | None = None
    start_ms: int | None = None
    """First edge, ms since 1970 UTC; None: all history."""
    end_ms: int | None = None
    """The edge after the last."""
    version: str | int = "champion"
    candidate: str | int | None = None
    """Another version, judged beside it on the same rows."""
    with_baselines: bool = True
    scores_to: Path | None = None
    """Receives each row's score as the stream would have written it: .csv or .parquet."""
    anomalies_to: Path | None = None
    """Receives the anomalies as JSON lines."""
