"""The model server as a container of a Docker engine: TensorFlow Serving on the site's models, with GPUs or without.

site -> specification (spec)  ->  preflight  ->  image  ->  created, started, waited for (launch)  ->  record

What an engine is told and what `--dry-run` prints come from the same `ContainerSpec` (`rendering`).
"""
