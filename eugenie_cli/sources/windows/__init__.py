"""Imports of sources that keep a history of their own, such as a database or an OPC UA server, in windows of time."""
