"""Training: datasets, fit, artefacts, MLflow tracking, the model registry."""
