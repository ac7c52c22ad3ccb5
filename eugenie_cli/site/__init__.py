"""The site file: reads, checks and explains the one YAML file that describes a plant."""
