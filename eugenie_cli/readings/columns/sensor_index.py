"""A column of identities: the places that they have in the site."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

Identity = tuple["str | None", "str | None", "str | None"]
"""(asset, sensor, tag) as the message names them."""

PlaceOf = Callable[["str | None", "str | None", "str | None"], "int | None"]
"""Identity -> the place of that sensor among all of the site, None for what the site does not have."""

UNREAD = int(np.iinfo(np.int64).min)
"""In the place of a place: no identity that this module reads, the reference decides."""


class Places:
    """Looks identities up: once if the site has them; numbered anew in every batch if not."""

    def __init__(self, place_of: PlaceOf) -> None:
        self._place_of = place_of
        # bounded by the site and how it is spelled: what the site does not have is not remembered
        self._known: dict[Any, int] = {}
        self._strange: dict[Identity, int] = {}

    def begin(self) -> None:
        """A new batch."""
        self._strange = {}

    def unknown(self) -> list[Identity]:
        """Identities of this batch that the site does not have: place -1 - k is the k-th."""
        return list(self._strange)

    def of(self, identity: Identity) -> int:
        """The place of one identity."""
        place = self._place_of(*identity)
        return -1 - self._strange.setdefault(identity, len(self._strange)) if place is None else place

    def of_column(self, identities: Sequence[Any]) -> NDArray[np.int64]:
        """Identities [N] as they stand in the records -> places int64 [N]."""
        try:
            found = list(map(self._known.get, identities))
        except TypeError:  # an object or array in the place of a name
            found = [None] * len(identities)
        if None in found:
            found = [
                self._look_up(raw) if place is None else place for raw, place in zip(identities, found, strict=True)
            ]
        return np.array(found, np.int64)

    def _look_up(self, raw: Any) -> int:
        if any(part is not None and type(part) is not str for part in raw):
            return UNREAD
        asset, sensor, tag = (None if part is None else part.strip(" \t") or None for part in raw)
        if (sensor is None and tag is None) or (tag is None and asset is None):
            return UNREAD
        place = self.of((asset, sensor, tag))
        if place >= 0:
            self._known[raw] = place
        return place
