"""Detector types: what each learns, stores and scores, and how it describes itself. A module for each type.

A site file chooses a type with `model: {type: ...}`. Everything else (scoring graph, export, server, stream,
evaluation) uses `interfaces.DetectorType` and gets the type from `registry.of`.
"""
