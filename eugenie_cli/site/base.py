"""The base class of all sections of the site file: frozen, and strict about unknown keys."""

from __future__ import annotations

from pathlib import Path

from pydantic import BaseModel, ConfigDict


class Section(BaseModel):
    """A part of the site file."""

    model_config = ConfigDict(
        frozen=True, extra="forbid", populate_by_name=True, protected_namespaces=(), allow_inf_nan=False
    )


def resolved(base: Path, path: str) -> Path:
    """A path of a site file as an absolute path; relative ones start at `base`."""
    return (base / Path(path).expanduser()).resolve()
