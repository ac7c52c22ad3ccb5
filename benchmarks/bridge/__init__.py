"""The CPU time of `eugenie bridge` per reading, compared with a plain loop from a subscription to a producer."""
