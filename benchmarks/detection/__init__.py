"""How well faults are found in public data, beside every classical detector."""
