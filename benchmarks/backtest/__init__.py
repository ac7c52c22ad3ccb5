"""The scoring graph of the minimal LSTM compared with that of the LSTM."""
