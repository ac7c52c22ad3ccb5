"""The evaluation report as a web page: one file, without script and without anything from elsewhere."""
