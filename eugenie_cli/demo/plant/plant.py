"""The plant as a whole: from a seed and a time span to the readings of its gateway."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from pathlib import Path

from eugenie_cli.demo.plant.faults import Fault, instrument_fault, wear_of
from eugenie_cli.demo.plant.instruments import Samples, sample
from eugenie_cli.demo.plant.operation import TICK_MS, operate
from eugenie_cli.demo.plant.physics import simulate
from eugenie_cli.errors import EugenieError, ExitCode

MANIFEST = "plant.json"


@dataclass(frozen=True)
class Plant:
    """One simulated plant: its seed, and the span of its history in ms. The live part follows after `end`."""

    seed: int
    start: int
    end: int

    def history(self) -> Samples:
        """Readings of [start, end), all from normal operation."""
        samples = self._run(self.end, ())
        return samples.where(samples.ts < self.end)

    def live(self, until_ms: int, faults: tuple[Fault, ...]) -> Samples:
        """Readings of [end, until): the continuation of the same plant, with faults."""
        samples = self._run(until_ms, faults)
        return samples.where((samples.ts >= self.end) & (samples.ts < until_ms))

    def _run(self, until_ms: int, faults: tuple[Fault, ...]) -> Samples:
        operation = operate(self.seed, self.start, until_ms + TICK_MS)
        truth = simulate(operation, wear_of(faults, operation.ts))
        return sample(
            self.seed,
            operation.ts,
            truth,
            lambda asset, sensor, ts, values: instrument_fault(faults, asset, sensor, ts, values),
        )

    def save(self, folder: Path) -> None:
        """Saves the plant with its exports, so that `simulate live` can continue it."""
        (folder / MANIFEST).write_text(json.dumps(asdict(self), indent=2) + "\n", encoding="utf-8")

    @staticmethod
    def load(folder: Path) -> Plant:
        """The plant whose history is in `folder`. Raises EugenieError when there is none."""
        path = folder / MANIFEST
        try:
            return Plant(**json.loads(path.read_text(encoding="utf-8")))
        except FileNotFoundError:
            raise EugenieError(
                f"{path} not found: {folder} contains no simulated plant",
                f"create one: eugenie simulate export --output-dir {folder}",
                ExitCode.USAGE,
            ) from None
        except (ValueError, TypeError) as error:
            raise EugenieError(
                f"{path}: not a simulated plant: {error}", "export the plant again", ExitCode.FAILED
            ) from None
