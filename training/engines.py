"""The engine that an evaluation asks: the user's own, or one of its own over any model file."""

import asyncio
import secrets
import shutil
import tempfile
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path

from lsp_server.engine.client import HttpEngine
from lsp_server.engine.launcher import EngineOptions, find_or_start, stop
from lsp_server.store.download import ensure_starter, starter_is_due
from lsp_server.store.models import ModelStore
from lsp_server.store.paths import StorePaths

CANDIDATE = "candidate"
"""What the only model of a private engine is called there."""
IDLE_SECONDS = 600.0
"""A private engine that was orphaned ends after so long."""


@asynccontextmanager
async def shared_engine(paths: StorePaths) -> AsyncIterator[HttpEngine]:
    """The user's engine, which is started if need be and goes on afterwards."""
    store = ModelStore(paths)
    if starter_is_due(store):
        await asyncio.to_thread(ensure_starter, store)
    running = await find_or_start(paths, EngineOptions())
    engine = running.connect()
    try:
        yield engine
    finally:
        await engine.aclose()


@asynccontextmanager
async def private_engine(
    file: Path, fim: str | None, paths: StorePaths, options: EngineOptions
) -> AsyncIterator[HttpEngine]:
    """An engine over one GGUF file, in a home of its own that is gone afterwards.

    The home lies below the user's, not among the system's temporary files, which are often kept
    in memory: where the file is on the same disk it is linked, else copied. Raises ``ModelError``
    for a file that cannot be served.
    """
    paths.root.mkdir(parents=True, exist_ok=True)
    home = Path(tempfile.mkdtemp(prefix="evaluation-", dir=paths.root))
    own = StorePaths(home)
    try:
        ModelStore(own).import_file(file, CANDIDATE, fim)
        options = replace(options, model=CANDIDATE, idle_exit=IDLE_SECONDS)
        running = await find_or_start(own, options)
        engine = running.connect()
        try:
            yield engine
        finally:
            await engine.aclose()
            await stop(running, own)
    finally:
        shutil.rmtree(home, ignore_errors=True)


@asynccontextmanager
async def loaded_adapter(engine: HttpEngine, file: Path | None) -> AsyncIterator[str | None]:
    """The name under which a LoRA GGUF (an absolute path) serves for a while; None is the base."""
    if file is None:
        yield None
        return
    name = f"evaluation-{secrets.token_hex(4)}"
    await engine.load_adapter(name, file)
    try:
        yield name
    finally:
        await engine.unload_adapter(name)
