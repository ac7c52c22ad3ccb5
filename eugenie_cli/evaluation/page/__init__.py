"""The evaluation report as a web page: a single file without scripts or external resources."""
