"""Settings of all tests."""

from __future__ import annotations

from hypothesis import settings

# A busy machine is slow, not wrong: an example has no time limit of its own, only its test has.
settings.register_profile("eugenie", deadline=None)
settings.load_profile("eugenie")
