"""The whole matrix of faults that the stream survives."""
