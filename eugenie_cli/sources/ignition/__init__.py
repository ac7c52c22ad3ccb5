"""Imports the tag history of Ignition from its SQL tables."""
