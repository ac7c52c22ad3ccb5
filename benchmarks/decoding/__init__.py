"""Payloads to columns of readings."""
