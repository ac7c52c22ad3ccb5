"""The model server as a Docker container: TensorFlow Serving on the site's models, with or without GPUs.

site -> specification (spec)  ->  preflight  ->  image  ->  create, start and wait (launch)  ->  record

The call to the engine and the output of `--dry-run` are rendered from the same `ContainerSpec` (`rendering`).
"""
