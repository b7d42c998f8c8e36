"""The adapters of a repository: which there are, which one serves, and how they are passed on."""

from .registry import ActiveAdapter, AdapterRegistry, StoredAdapter

__all__ = ["ActiveAdapter", "AdapterRegistry", "StoredAdapter"]
