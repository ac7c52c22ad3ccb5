"""The fit, against the plain recipe."""
