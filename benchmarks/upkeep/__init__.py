"""CPU time of commands on many files and many assets."""
