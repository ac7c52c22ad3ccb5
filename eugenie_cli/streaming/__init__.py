"""The stream job from outside: package it, submit it over Flink's REST API, watch it, stop it with a savepoint."""
