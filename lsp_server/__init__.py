"""Tenon's language server, its embedded engine, and what they share with training."""

__version__ = "0.1.0"
