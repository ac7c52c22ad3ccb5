"""How good the history is: statistics of every sensor, what they mean, what to do, and whether training can begin."""
