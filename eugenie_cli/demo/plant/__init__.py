"""A simulated pumping plant: equipment, operation, physics, instruments. Knows no detector."""
