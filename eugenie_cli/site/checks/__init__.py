"""Checks of a site file beyond its types: names that must exist, settings that must be consistent."""
