"""Starts, supervises, stops and checks the engines on this machine."""
