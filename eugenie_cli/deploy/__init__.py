"""Manifests for a site's model servers on machines where eugenie itself starts nothing.

Each target has a module (`kubernetes`, `kserve`, `seldon`, `compose`, `kubeflow`) with a pure function from a `Request`
to named documents: the same site gives the same bytes. `render` chooses the target, and `output` writes its documents
into a folder. Documents contain no secrets, only the names of Kubernetes secrets or files with them.
"""
