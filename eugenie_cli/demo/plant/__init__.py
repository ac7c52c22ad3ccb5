"""A simulated pumping plant: equipment, operation, physics, instruments. Nothing here knows eugenie's detector."""
