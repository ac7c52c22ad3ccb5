"""Names of files that a model server reads: TensorFlow's, and the one beside the models."""

MODELS_CONFIG = "models.config"
"""Beside the models: which of their versions are released. A ModelServerConfig."""

SAVED_MODEL = "saved_model.pb"
"""In a version's directory: its graph. What has none is half written, or no SavedModel."""
