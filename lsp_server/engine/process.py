"""The engine as a process: one per user, found by others, ended when nobody needs it."""

import asyncio
import contextlib
import gc
import logging
import os
import secrets
import signal
import socket
import time
from collections.abc import Awaitable, Callable, Iterator
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from pathlib import Path

import msgspec
import uvicorn
from filelock import AsyncFileLock, FileLock, Timeout

from .. import __version__
from ..errors import EngineStartError, SettingsError
from ..prompt.formats import FORMATS
from ..store.catalogue import STARTER, load_catalogue
from ..store.models import ModelStore
from ..store.paths import StorePaths, replace_file
from .llama import Backend
from .record import EngineRecord
from .runtime import Runtime, RuntimeOptions, Served
from .service import EngineService

_LOG = logging.getLogger(__name__)
TAKEOVER_SECONDS = 60.0
GLANCE_SECONDS = 1.0


@dataclass(frozen=True, slots=True)
class EngineProcessOptions:
    """``port`` 0 is any free one; ``idle_exit`` is in seconds, 0 is never."""

    model: str | None = None
    port: int = 0
    api_key_file: Path | None = None
    idle_exit: float = 0.0
    launch: str = ""
    runtime: RuntimeOptions = field(default_factory=RuntimeOptions)


async def serve(
    paths: StorePaths,
    options: EngineProcessOptions,
    *,
    evict: Callable[[], bool] | None = None,
    ready: Callable[[EngineRecord], None] = lambda _record: None,
) -> None:
    """Run until idle, shut down or signalled; raises what prevented the start.

    ``evict`` asks a running engine to end, for a user who starts one explicitly; without it a
    running engine wins.
    """
    paths.root.mkdir(parents=True, exist_ok=True)
    async with AsyncExitStack() as stack:
        listener = stack.enter_context(_listen(options.port))
        starting = AsyncExitStack()
        if evict:
            # Or else the clients of the engine that is sent away would start another one at once.
            await starting.enter_async_context(AsyncFileLock(paths.launch_lock))
        stack.push_async_callback(starting.aclose)
        lock = FileLock(paths.engine_lock)
        await _take(lock, evict)
        stack.callback(lock.release)
        stack.callback(paths.engine_json.unlink, missing_ok=True)

        async def announce(record: EngineRecord) -> None:
            await starting.aclose()
            ready(record)

        await _serve_locked(paths, options, listener, announce)


async def _serve_locked(
    paths: StorePaths,
    options: EngineProcessOptions,
    listener: socket.socket,
    announce: Callable[[EngineRecord], Awaitable[None]],
) -> None:
    token = _token(options.api_key_file)
    backend = Backend(logging.getLogger("tenon.llama"))
    store = ModelStore(paths)

    def resolve(name: str) -> Served:
        return served_model(store, name)

    def load(served: Served) -> Runtime:
        return Runtime(backend, served, options.runtime)

    name = options.model or store.chosen() or STARTER
    runtime = await asyncio.to_thread(lambda: load(resolve(name)))
    # `stop` is called after the server exists; the service only keeps it.
    service = EngineService(
        runtime, resolve, load, stop=lambda: setattr(server, "should_exit", True)
    )
    server = _Server(
        uvicorn.Config(
            service.application(token),
            http="httptools",
            lifespan="off",
            access_log=False,
            log_config=None,
            server_header=False,
            # Longer than any client keeps an idle connection: closing it is then theirs to do.
            timeout_keep_alive=24 * 3600,
            timeout_graceful_shutdown=2,
        )
    )
    # From here on connections wait for the server instead of being refused.
    listener.listen(128)
    record = EngineRecord(os.getpid(), listener.getsockname()[1], __version__, options.launch)
    replace_file(paths.engine_token, token.encode(), mode=0o600)
    replace_file(paths.engine_json, msgspec.json.encode(record))
    _LOG.info("%s serves %s on port %d.", runtime.served.name, runtime.served.path, record.port)
    await announce(record)
    # A vocabulary's pieces and all modules stay for good: no collection looks through them again.
    gc.freeze()
    idle = asyncio.create_task(_exit_when_idle(service, server, options.idle_exit))
    try:
        await server.serve(sockets=[listener])
    finally:
        idle.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await idle
        await asyncio.to_thread(service.runtime.close)


class _Server(uvicorn.Server):
    """Ends in peace: uvicorn's own raises the signal again, and nothing is cleaned up."""

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        signals = (signal.SIGINT, signal.SIGTERM)
        old = [signal.signal(number, self.handle_exit) for number in signals]
        try:
            yield
        finally:
            for number, handler in zip(signals, old, strict=True):
                signal.signal(number, handler)


def served_model(store: ModelStore, name: str) -> Served:
    """An installed model, after its file was found intact; raises ``ModelError``."""
    model = store.verify(store.get(name))
    entry = load_catalogue().get(model.name)
    return Served(
        model.name,
        model.path,
        FORMATS[model.fim],
        model.sha256,
        entry.least_confidence if entry else None,
    )


def _listen(port: int) -> socket.socket:
    """A socket on loopback; raises ``EngineStartError`` if the port is taken."""
    # The protocol by name: asyncio switches Nagle's algorithm off only where it stands there, and
    # with it on, every answer on a connection that is used again takes 40 ms more.
    listener = socket.socket(socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    try:
        if os.name != "nt":  # on Windows it would let two programs share the port
            listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind(("127.0.0.1", port))
    except (OSError, OverflowError) as error:
        listener.close()
        raise EngineStartError(
            f"Port {port} cannot be used ({error}): end the program that listens there, "
            "or choose another --port."
        ) from error
    return listener


async def _take(lock: FileLock, evict: Callable[[], bool] | None) -> None:
    """Become the user's one engine.

    Somebody who only looks whether an engine lives holds the lock for a moment.
    """
    deadline = time.monotonic() + (TAKEOVER_SECONDS if evict else GLANCE_SECONDS)
    while True:
        try:
            lock.acquire(timeout=0)
        except Timeout as error:
            if time.monotonic() >= deadline:
                raise EngineStartError(
                    "Another engine is already running; `tenon status` tells which."
                ) from error
            if evict:  # again and again: the one that runs may still be loading
                await asyncio.to_thread(evict)
            await asyncio.sleep(0.05)
        else:
            return


def _token(api_key_file: Path | None) -> str:
    """The user's own key, else a new one for every start."""
    if api_key_file is None:
        return secrets.token_urlsafe(32)
    try:
        if not api_key_file.exists():
            replace_file(api_key_file, secrets.token_urlsafe(32).encode(), mode=0o600)
        token = api_key_file.read_text("utf-8").strip()
    except (OSError, UnicodeDecodeError) as error:
        raise SettingsError(f"The API key file {api_key_file} cannot be used: {error}") from error
    if not token:
        raise SettingsError(f"The API key file {api_key_file} is empty: write a key into it.")
    return token


async def _exit_when_idle(service: EngineService, server: uvicorn.Server, seconds: float) -> None:
    """End the server once nobody asked for anything for so long."""
    while seconds > 0:
        await asyncio.sleep(min(1.0, seconds / 4))
        if service.idle_seconds > seconds:
            _LOG.info("Idle for %.0f s: ending.", service.idle_seconds)
            server.should_exit = True
            return
