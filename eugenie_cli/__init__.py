"""eugenie: from a plant's own history to real-time anomaly detection."""

__version__ = "0.1.0"
