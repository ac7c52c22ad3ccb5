"""The base class of all sections of the site file: frozen, and strict about unknown keys."""

from __future__ import annotations

from pathlib import Path

from pydantic import BaseModel, ConfigDict


class Section(BaseModel):
    """A part of the site file. A section that is another's default is made by `model_construct`: to validate it, its
    validator would be built whenever the program starts.
    """

    model_config = ConfigDict(
        frozen=True,
        extra="forbid",
        populate_by_name=True,
        protected_namespaces=(),
        allow_inf_nan=False,
        defer_build=True,  # most sections are only validated as parts of others, whose validator contains theirs
    )


def resolved(base: Path, path: str) -> Path:
    """A path of a site file as an absolute path; relative ones start at `base`."""
    return (base / Path(path).expanduser()).resolve()
