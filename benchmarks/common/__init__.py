"""Shared by the benchmarks: a plant and its model, engines, processes, and reporting."""
