"""What the types of a site file cannot say: names that must exist, settings that must agree."""
