"""The error of files whose days cannot be told. Importers name the file, so this module is light."""

from __future__ import annotations

from eugenie_cli.errors import EugenieError


class UnclearDaysError(EugenieError):
    """Rows that are newest first and pass midnight: the stated date may be that of the first row or of the last."""

    def __init__(self) -> None:
        super().__init__(
            "the rows are newest first and pass midnight, so the stated date may be that of the first or of the last",
            "export the oldest first, or the date with each time",
        )

    def of_file(self, file: str) -> EugenieError:
        """The same, with the name of the file."""
        return EugenieError(f"{file}: {self.reason}", self.hint)
