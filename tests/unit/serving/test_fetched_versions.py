"""A version is fetched from a store once, and a different export with the same number is refused."""

from __future__ import annotations

from pathlib import Path

import pytest

from eugenie_cli.errors import EugenieError, ExitCode
from eugenie_cli.serving import checksums
from eugenie_cli.serving.model_store import ModelStore
from eugenie_cli.tfserving.layout import SAVED_MODEL


def version(root: Path, content: bytes, *, sums: bool) -> Path:
    folder = root / "pump" / "1"
    folder.mkdir(parents=True, exist_ok=True)
    (folder / SAVED_MODEL).write_bytes(content)
    if sums:
        checksums.write(folder)
    return folder


@pytest.mark.parametrize("sums", [True, False], ids=["with sums", "without sums"])
def test_a_fetched_version_is_not_fetched_again(tmp_path: Path, sums: bool) -> None:
    version(tmp_path / "store", b"graph", sums=sums)
    store, models = ModelStore(str(tmp_path / "store")), tmp_path / "models"
    assert [store.fetch("pump", 1, models) for _ in range(3)] == [True, False, False]
    assert (models / "pump" / "1" / SAVED_MODEL).read_bytes() == b"graph"


@pytest.mark.parametrize("sums", [True, False])
def test_a_different_export_with_the_same_number_is_refused(tmp_path: Path, sums: bool) -> None:
    version(tmp_path / "models", b"mine", sums=True)
    version(tmp_path / "store", b"theirs", sums=sums)
    with pytest.raises(EugenieError, match="are different exports") as refused:
        ModelStore(str(tmp_path / "store")).fetch("pump", 1, tmp_path / "models")
    assert refused.value.exit_code is ExitCode.REFUSED
