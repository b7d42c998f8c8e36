"""Finds the user's engine, or starts it; any number of clients may try at the same time."""

import asyncio
import contextlib
import secrets
import subprocess
import sys
import threading
import time
from dataclasses import dataclass

import httpx
import msgspec
from filelock import AsyncFileLock, FileLock, Timeout

from .. import children
from ..children import ChildLog
from ..errors import EngineError, EngineStartError
from ..store.paths import StorePaths
from ..versions import is_older
from .client import HttpEngine
from .record import EngineRecord

START_SECONDS = 120.0
"""A 7B model from a slow disk takes this long."""
PROBE_SECONDS = 2.0
STOP_SECONDS = 10.0
POLL_SECONDS = 0.02


@dataclass(frozen=True, slots=True)
class EngineOptions:
    """Which engine a client wants: somebody's at ``url``, or this machine's own.

    0 and "" mean: chosen for this machine. ``idle_exit`` is in seconds.
    """

    model: str | None = None
    url: str = ""
    api_key: str = ""
    gpu_layers: int = -1
    threads: int = 0
    context: int = 0
    idle_exit: float = 900.0


@dataclass(frozen=True, slots=True)
class RunningEngine:
    """An engine that answered; ``pid`` is None for a remote one, ``launch`` as in its record."""

    url: str
    token: str
    version: str = ""
    pid: int | None = None
    launch: str = ""

    def connect(self) -> HttpEngine:
        """A new client of it."""
        return HttpEngine(self.url, self.token)


def find(paths: StorePaths) -> RunningEngine | None:
    """The engine that runs on this machine, if it answers. Blocks for up to 2 s.

    A record is believed only while the engine's lock is held: after a crash any program may have
    got its port, and would be sent the token and the user's code.
    """
    if not paths.engine_json.exists() or not _is_held(paths):
        return None
    try:
        record = msgspec.json.decode(paths.engine_json.read_bytes(), type=EngineRecord)
        token = paths.engine_token.read_text("utf-8")
        # No certificates for plain HTTP: loading them would take 40 ms.
        with httpx.Client(timeout=PROBE_SECONDS, trust_env=False, verify=False) as client:  # noqa: S501
            health = client.get(f"{record.url}/health").json()
    except (OSError, ValueError, msgspec.MsgspecError, httpx.HTTPError):
        return None
    if not isinstance(health, dict) or health.get("engine") != "tenon":
        return None  # the port went to another program
    version = str(health.get("version", ""))
    return RunningEngine(record.url, token, version, record.pid, record.launch)


def _is_held(paths: StorePaths) -> bool:
    """Whether an engine lives."""
    try:
        with FileLock(paths.engine_lock, timeout=0):
            return False
    except Timeout:
        return True


async def find_or_start(
    paths: StorePaths, options: EngineOptions, *, renew: bool = False
) -> RunningEngine:
    """The engine that ``options`` ask for; raises ``EngineStartError`` with the reason.

    With ``renew``, one that runs is ended first, so that the options take effect, unless a user
    started it by hand.

    An engine of an older version is replaced. One of a newer version is shared, so that two
    editors with different versions do not replace each other's engine at every keystroke.
    """
    if options.url:
        return RunningEngine(options.url.rstrip("/"), options.api_key)
    paths.root.mkdir(parents=True, exist_ok=True)
    async with AsyncFileLock(paths.launch_lock):
        running = await asyncio.to_thread(find, paths)
        if running and not is_older(running.version) and not (renew and running.launch):
            return running
        if running:
            await stop(running, paths)
        return await _start(paths, options)


async def stop(running: RunningEngine, paths: StorePaths) -> None:
    """End an engine and wait until it is gone."""
    client = running.connect()
    with contextlib.suppress(EngineError):  # it is ending already
        await client.shut_down()
    await client.aclose()
    try:
        async with AsyncFileLock(paths.engine_lock, timeout=STOP_SECONDS):
            return
    except Timeout as error:
        raise EngineStartError(
            f"The engine with process id {running.pid} does not end; end it and try again."
        ) from error


def switch_model(paths: StorePaths, name: str, *, instead_of: str | None = None) -> bool:
    """Have a running engine serve what is installed as ``name`` now; False if none runs.

    With ``instead_of``, only if it serves the model of that name, else False.
    """
    running = find(paths)
    if running is None:
        return False

    async def switch() -> bool:
        client = running.connect()
        try:
            if instead_of not in {None, (await client.info()).model}:
                return False
            await client.switch_model(name)
        finally:
            await client.aclose()
        return True

    return asyncio.run(switch())


async def _start(paths: StorePaths, options: EngineOptions) -> RunningEngine:
    """Spawn the engine, detached, and wait until it answers or ends."""
    log = ChildLog(paths.logs / "engine.log")
    # Not the process id: in a virtual environment on Windows, Python starts another Python.
    launch = secrets.token_hex(8)
    process, written = await asyncio.to_thread(_spawn, paths, options, log, launch)
    # The engine is meant to outlive us; should it end before, somebody must collect its status.
    threading.Thread(target=process.wait, daemon=True, name="tenon-engine-status").start()
    deadline = time.monotonic() + START_SECONDS
    while time.monotonic() < deadline:
        if process.returncode is not None:
            raise EngineStartError(_reason(log, written, process.returncode))
        running = await asyncio.to_thread(find, paths) if paths.engine_json.exists() else None
        if running and running.launch == launch:
            return running
        await asyncio.sleep(POLL_SECONDS)
    process.terminate()
    raise EngineStartError(
        f"The engine did not start within {START_SECONDS:.0f} s; see {log.path}."
    )


def _spawn(
    paths: StorePaths, options: EngineOptions, log: ChildLog, launch: str
) -> tuple["subprocess.Popen[bytes]", int]:
    """Start the process outside the user's repository; returns it and the log's length so far."""
    command = children.command("engine", "--launch", launch)
    command += ["--idle-exit", str(options.idle_exit), "--gpu-layers", str(options.gpu_layers)]
    command += ["--threads", str(options.threads), "--context", str(options.context)]
    if options.model:
        command += ["--model", options.model]
    detached: dict[str, object] = {"start_new_session": True}
    if sys.platform == "win32":
        flags = subprocess.CREATE_NEW_PROCESS_GROUP | subprocess.CREATE_NO_WINDOW
        detached = {"creationflags": flags}
    with log.open() as output:
        process = subprocess.Popen(
            command,
            cwd=paths.root,
            env=children.environment(paths),
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=output,
            **detached,  # type: ignore[call-overload]
        )
        return process, log.size()


def _reason(log: ChildLog, written: int, status: int) -> str:
    """What the engine said last before it ended."""
    said = log.last_word(written)
    return said or f"The engine ended at once (status {status}); its log is {log.path}."
