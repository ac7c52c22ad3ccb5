"""Types of detectors: what each learns, stores, scores and says of itself. One module a type.

A site file chooses with `model: {type: ...}`. Everything else (scoring graph, export, server, stream, evaluation)
is written against `interfaces.DetectorType`, and asks `registry.of` for the type.
"""
