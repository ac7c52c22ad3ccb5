"""Where history comes from: a folder for each type of source, found by the entry points `eugenie.sources`."""
