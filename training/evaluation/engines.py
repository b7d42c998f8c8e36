"""The engine that an evaluation asks: the user's own, or one of its own over any model file."""

import asyncio
import secrets
import shutil
import tempfile
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path

from filelock import FileLock, Timeout

from lsp_server.engine.client import HttpEngine
from lsp_server.engine.launcher import (
    EngineOptions,
    RunningEngine,
    find_or_start,
    stop,
    switch_model,
)
from lsp_server.errors import EngineStartError
from lsp_server.store.catalogue import STARTER, CatalogueEntry
from lsp_server.store.download import ensure_starter, starter_is_due
from lsp_server.store.models import ModelStore
from lsp_server.store.paths import StorePaths

CANDIDATE = "candidate"
"""What the only model of a private engine is called there."""
IDLE_SECONDS = 600.0
"""A private engine that was orphaned ends after so long."""
HOME_PREFIX = "evaluation-"
"""What the homes of private engines begin with."""
OWNER_LOCK = "evaluation.lock"
"""In such a home: held by the evaluation that it belongs to."""
HOMES_LOCK = "evaluations.lock"
"""In the user's home: held while such homes are made and swept."""


@asynccontextmanager
async def shared_engine(
    paths: StorePaths, begun: Callable[[CatalogueEntry], None]
) -> AsyncIterator[HttpEngine]:
    """The user's engine, which is started if need be and goes on afterwards.

    ``begun`` is told what is brought, where the starter is due.
    """
    store = ModelStore(paths)
    if starter_is_due(store):
        await asyncio.to_thread(ensure_starter, store, begun)
        # An engine that serves the older one goes over to what was made, before it is measured.
        await asyncio.to_thread(switch_model, paths, STARTER, instead_of=STARTER)
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
    in memory: where the file is on the same disk it is linked, else copied. What killed
    evaluations left there is removed. Raises ``ModelError`` for a file that cannot be served, and
    ``EngineStartError``.
    """
    own, owner = _make_home(paths)
    try:
        ModelStore(own).import_file(file, CANDIDATE, fim)
        options = replace(options, model=CANDIDATE, idle_exit=IDLE_SECONDS)
        starting = asyncio.create_task(_start(own, options, paths.logs))
        try:
            # Who is cancelled meanwhile waits for the engine all the same: it has to be ended.
            engine = (await asyncio.shield(starting)).connect()
            try:
                yield engine
            finally:
                await engine.aclose()
        finally:
            await stop(await starting, own)
    finally:
        owner.release()  # Windows removes no open file
        shutil.rmtree(own.root, ignore_errors=True)


def _make_home(paths: StorePaths) -> tuple[StorePaths, FileLock]:
    """A new home, with the lock that keeps others from sweeping it."""
    paths.logs.mkdir(parents=True, exist_ok=True)
    with FileLock(paths.root / HOMES_LOCK):
        for left in paths.root.glob(f"{HOME_PREFIX}*/"):
            locks = (left / OWNER_LOCK, StorePaths(left).engine_lock)
            if left.is_dir() and all(map(_is_free, locks)):
                shutil.rmtree(left, ignore_errors=True)
        home = Path(tempfile.mkdtemp(prefix=HOME_PREFIX, dir=paths.root))
        owner = FileLock(home / OWNER_LOCK)
        owner.acquire()
    return StorePaths(home), owner


def _is_free(lock: Path) -> bool:
    try:
        with FileLock(lock, timeout=0):
            return True
    except Timeout:
        return False


async def _start(own: StorePaths, options: EngineOptions, logs: Path) -> RunningEngine:
    """Start a private engine; if that fails, its log is kept in ``logs``, for its home will go."""
    log, kept = own.logs / "engine.log", logs / "evaluation.log"
    try:
        return await find_or_start(own, options)
    except EngineStartError as error:
        if not log.exists():
            raise
        shutil.copyfile(log, kept)
        raise EngineStartError(str(error).replace(str(log), str(kept))) from error


@asynccontextmanager
async def loaded_adapter(
    engine: HttpEngine, file: Path | None, scale: float = 1.0
) -> AsyncIterator[str | None]:
    """The name under which a LoRA GGUF (an absolute path) serves for a while; None is the base."""
    if file is None:
        yield None
        return
    name = f"evaluation-{secrets.token_hex(4)}"
    await engine.load_adapter(name, file, scale=scale)
    try:
        yield name
    finally:
        await engine.unload_adapter(name)
