"""The exported graph and the model server, each against its ceiling."""
