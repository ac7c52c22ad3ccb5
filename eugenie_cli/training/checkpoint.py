"""The state of a fit after an epoch, on disk, from which an interrupted fit resumes.

One file for each recipe (data, settings, code), replaced atomically: it is complete or absent.
"""

from __future__ import annotations

import contextlib
import json
import zipfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from eugenie_cli.files import replacing

_META = "meta"


@dataclass(frozen=True)
class State:
    """`arrays`: weights and other numbers; `meta`: the rest, in JSON types."""

    arrays: Mapping[str, NDArray[Any]]
    meta: Mapping[str, Any]


class Checkpoint:
    """The state of the fit with this recipe."""

    def __init__(self, folder: Path, recipe: str) -> None:
        self.file = folder / f"{recipe}.npz"

    def load(self) -> State | None:
        """The last saved state; None if there is none or it cannot be read."""
        try:
            with np.load(self.file, allow_pickle=False) as archive:
                arrays = {name: archive[name] for name in archive.files}
        except (OSError, ValueError, EOFError, zipfile.BadZipFile):
            return None
        return State(arrays, json.loads(str(arrays.pop(_META))))

    def save(self, state: State) -> None:
        """Replaces the saved state, and drops states of other recipes in the folder: their data or settings are out of
        date."""
        self.file.parent.mkdir(parents=True, exist_ok=True)
        with replacing(self.file, mode=0o600) as stream:
            np.savez(stream, **{_META: np.array(json.dumps(state.meta))}, **state.arrays)  # type: ignore[arg-type]
        for other in self.file.parent.iterdir():
            if other != self.file and other.is_file():
                other.unlink(missing_ok=True)

    def clear(self) -> None:
        """Drops the state once the version is registered."""
        self.file.unlink(missing_ok=True)
        with contextlib.suppress(OSError):
            self.file.parent.rmdir()
