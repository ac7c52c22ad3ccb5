"""A column of identities -> their places in the site."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

Identity = tuple["str | None", "str | None", "str | None"]
"""(asset, sensor, tag) as the message names them."""

PlaceOf = Callable[["str | None", "str | None", "str | None"], "int | None"]
"""Identity -> the place of that sensor among all sensors of the site; None if the site has no such sensor."""

UNREAD = int(np.iinfo(np.int64).min)
"""Instead of a place: an identity that this module cannot read, so the reference decides."""


class Places:
    """Looks identities up: known ones once; unknown ones are numbered within each batch."""

    def __init__(self, place_of: PlaceOf) -> None:
        self._place_of = place_of
        # bounded by the site's sensors and their spellings, because unknown identities are not kept
        self._known: dict[Any, int] = {}
        self._strange: dict[Identity, int] = {}

    def begin(self) -> None:
        """Begin a new batch."""
        self._strange = {}

    def unknown(self) -> list[Identity]:
        """Identities of this batch that are not in the site: the k-th has the place -1 - k."""
        return list(self._strange)

    def of(self, identity: Identity) -> int:
        """The place of one identity."""
        place = self._place_of(*identity)
        return -1 - self._strange.setdefault(identity, len(self._strange)) if place is None else place

    def of_column(self, identities: Sequence[Any]) -> NDArray[np.int64]:
        """Identities [N], unchanged from the records -> places int64 [N]."""
        try:
            places = list(map(self._known.get, identities))
        except TypeError:  # an object or array in place of a name
            places = [None] * len(identities)
        if None in places:
            places = [
                self._look_up(raw) if place is None else place for raw, place in zip(identities, places, strict=True)
            ]
        return np.array(places, np.int64)

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
