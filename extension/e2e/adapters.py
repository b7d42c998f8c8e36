"""Puts two adapters into a home for a repository: real LoRAs, with weights that learnt nothing."""

import sys
from pathlib import Path

from lsp_server.store.adapters import AdapterRegistry
from lsp_server.store.catalogue import STARTER
from lsp_server.store.models import ModelStore
from lsp_server.store.paths import StorePaths
from lsp_server.store.repositories import RepositoryStore
from tests.adapters import publish_lora


def main(home: Path, root: Path) -> None:
    paths = StorePaths(home)
    model = ModelStore(paths).get(STARTER)
    repository = RepositoryStore.of(paths, root)
    repository.ensure()
    registry = AdapterRegistry(repository)
    for seed in (1, 2):
        print(publish_lora(registry, model, seed, strength=0.001).id)


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]))
