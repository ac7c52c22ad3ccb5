"""Thin commands: parse, call one service, render. One module for each command group."""
