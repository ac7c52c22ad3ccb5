"""The demo: a simulated plant, its faults, and a complete run on it."""
