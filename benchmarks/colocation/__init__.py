"""The model server over its unix socket, against TCP."""
