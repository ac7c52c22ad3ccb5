"""A version that was fetched from a store is fetched once, and another one of its number is not taken for it."""

from __future__ import annotations

from pathlib import Path

import pytest

from eugenie_cli.errors import EugenieError, ExitCode
from eugenie_cli.serving import checksums
from eugenie_cli.serving.model_store import ModelStore
from eugenie_cli.tfserving.layout import SAVED_MODEL


def version(root: Path, content: bytes, *, sums: bool) -> Path:
    made = root / "pump" / "1"
    made.mkdir(parents=True, exist_ok=True)
    (made / SAVED_MODEL).write_bytes(content)
    if sums:
        checksums.write(made)
    return made


@pytest.mark.parametrize("sums", [True, False], ids=["with sums", "of a tool that writes no sums"])
def test_what_was_fetched_is_good_at_the_next_start(tmp_path: Path, sums: bool) -> None:
    version(tmp_path / "store", b"graph", sums=sums)
    there, models = ModelStore(str(tmp_path / "store")), tmp_path / "models"
    assert [there.fetch("pump", 1, models) for _ in range(3)] == [True, False, False]
    assert (models / "pump" / "1" / SAVED_MODEL).read_bytes() == b"graph"


@pytest.mark.parametrize("sums", [True, False])
def test_another_version_of_its_number_is_refused(tmp_path: Path, sums: bool) -> None:
    version(tmp_path / "models", b"mine", sums=True)
    version(tmp_path / "store", b"theirs", sums=sums)
    with pytest.raises(EugenieError, match="is another export than") as refused:
        ModelStore(str(tmp_path / "store")).fetch("pump", 1, tmp_path / "models")
    assert refused.value.exit_code is ExitCode.REFUSED
