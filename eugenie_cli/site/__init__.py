"""The site file: read, checked, explained. One YAML file describes a plant."""
