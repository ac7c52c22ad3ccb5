"""A simulated pumping plant: equipment, operation, physics, instruments. It is independent of any detector."""
