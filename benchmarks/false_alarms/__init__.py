"""False alarms on simulated plants, and the faults found."""
