"""The real models for tests: brought once as a user's are, then shared."""

import os
from pathlib import Path

import msgspec

from lsp_server.store.catalogue import STARTER, load_catalogue
from lsp_server.store.download import pull
from lsp_server.store.models import InstalledModel, ModelStore
from lsp_server.store.paths import StorePaths

CACHE = Path(__file__).parent.parent / ".cache" / "starter"
PLAIN = "smollm2-135m"
"""A model that only continues text; it stays as it is when the starter is taught anew."""


def starter_store() -> ModelStore:
    """A store that holds both models, below ``$TENON_TEST_CACHE`` or ``<repo>/.cache/starter``.

    Shared by all tests: treat it as read-only, and import from it into a store of your own.
    """
    root = Path(os.environ.get("TENON_TEST_CACHE") or CACHE)
    store = ModelStore(StorePaths(root))
    for name in (PLAIN, STARTER):
        pull(store, load_catalogue()[name])
    return store


def plain_file() -> Path:
    """The GGUF of the plain model in that store."""
    return starter_store().get(PLAIN).path


def install(store: ModelStore, name: str = STARTER) -> InstalledModel:
    """Put one of them into a store, by hard link where that is possible."""
    model = starter_store().get(name)
    entry = msgspec.structs.replace(load_catalogue()[name], sha256=model.sha256, size=model.size)
    return store.add(entry, model.path)


def starter_file() -> Path:
    """The GGUF of the starter in that store."""
    return starter_store().get(STARTER).path
