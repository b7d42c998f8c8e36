"""Tenon's language server, its embedded engine, and what they share with training."""

from importlib.metadata import PackageNotFoundError, version

try:
    __version__ = version("tenon-lsp")
except PackageNotFoundError:  # run from a source tree that was never installed
    __version__ = "0.0.0"
