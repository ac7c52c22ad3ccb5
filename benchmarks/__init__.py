"""Benchmarks, a package each: `make bench NAME=stream` runs `python -m benchmarks.stream`. See docs/benchmarks.md."""
