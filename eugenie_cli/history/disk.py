"""Turns what the disk refuses, when the history is written, into an error that the user can act on."""

from __future__ import annotations

import errno
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from eugenie_cli.errors import EugenieError

_FULL = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)


@contextmanager
def written_to(root: Path) -> Iterator[None]:
    """Raises EugenieError for an OSError of the block. Committed readings are safe in any case."""
    try:
        yield
    except OSError as error:
        what = "make room on its disk" if error.errno in _FULL else "let the user that runs eugenie write there"
        raise EugenieError(
            f"the history in {root} cannot be written: {error.strerror or error}",
            hint=f"{what}, then run this command again; what was committed is kept",
        ) from error
