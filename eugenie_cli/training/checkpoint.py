"""Where a fit stands after an epoch, on disk: a fit that was killed goes on from there.

One file for each recipe (data, settings, code), replaced at once: it is there whole or not at all.
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
    """`arrays`: weights and what else is numbers; `meta`: the rest, as JSON holds it."""

    arrays: Mapping[str, NDArray[Any]]
    meta: Mapping[str, Any]


class Checkpoint:
    """The state of the fit with this recipe."""

    def __init__(self, folder: Path, recipe: str) -> None:
        self.file = folder / f"{recipe}.npz"

    def load(self) -> State | None:
        """The last state that was saved; None when there is none, or it cannot be read."""
        try:
            with np.load(self.file, allow_pickle=False) as archive:
                arrays = {name: archive[name] for name in archive.files}
        except (OSError, ValueError, EOFError, zipfile.BadZipFile):
            return None
        return State(arrays, json.loads(str(arrays.pop(_META))))

    def save(self, state: State) -> None:
        """Replaces what was saved. States of other recipes in the folder are dropped: their data or settings
        are no more."""
        self.file.parent.mkdir(parents=True, exist_ok=True)
        with replacing(self.file, mode=0o600) as stream:
            np.savez(stream, **{_META: np.array(json.dumps(state.meta))}, **state.arrays)  # type: ignore[arg-type]
        for other in self.file.parent.iterdir():
            if other != self.file and other.is_file():
                other.unlink(missing_ok=True)

    def clear(self) -> None:
        """Drops the state: the fit is over and its version registered."""
        self.file.unlink(missing_ok=True)
        with contextlib.suppress(OSError):
            self.file.parent.rmdir()
