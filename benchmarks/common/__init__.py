"""What benchmarks share: a plant and its model, engines, processes, and how results are reported."""
