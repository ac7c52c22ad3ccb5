"""The demo: a simulated plant, its faults, and the run of everything on it."""
