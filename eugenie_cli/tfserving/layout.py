"""Names of the files that a model server reads: TensorFlow's, and the list of released versions."""

MODELS_CONFIG = "models.config"
"""In the models' folder: a ModelServerConfig that lists the released versions."""

SAVED_MODEL = "saved_model.pb"
"""In a version's directory: its graph. A directory without it is incomplete, or not a SavedModel."""
