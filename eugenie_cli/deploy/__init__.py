"""Manifests of a site's model servers, for machines that eugenie does not start anything on.

A module a target (`kubernetes`, `kserve`, `seldon`, `compose`, `kubeflow`), each a pure function from a `Request` to
named documents: the same site gives the same bytes. `render` chooses one, `output` puts its documents into a folder.
No document holds a secret: they name Kubernetes secrets, or files, that hold them.
"""
