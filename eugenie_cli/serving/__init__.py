"""Models as a service: export, publication, promotion, the model store, and the server's process or container."""
