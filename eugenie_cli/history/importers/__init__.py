"""Importers: plug-ins that read sources, by the entry point group `eugenie.importers`."""
