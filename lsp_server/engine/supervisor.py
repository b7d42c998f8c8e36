"""Keeps an engine at hand for one language server: starts it, notices its death, tries again."""

import asyncio
import logging
import time
from collections.abc import Callable, Coroutine
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from ..completion.engine import EngineInfo
from ..errors import EngineError, EngineRequestError, EngineUnavailableError
from ..store.paths import StorePaths
from .client import HttpEngine
from .launcher import EngineOptions, RunningEngine, find_or_start
from .remote import RemoteEngine, connect

FIRST_RETRY_SECONDS = 0.5
LONGEST_RETRY_SECONDS = 60.0
STABLE_SECONDS = 10.0
"""An engine that dies sooner after its start is started again later and later."""
UNAUTHORISED = 401
_LOG = logging.getLogger(__name__)
Engine = HttpEngine | RemoteEngine


class EngineState(StrEnum):
    """Where an engine stands."""

    STOPPED = "stopped"
    STARTING = "starting"
    READY = "ready"
    FAILED = "failed"


@dataclass(frozen=True, slots=True)
class EngineStatus:
    """The state with its reason; ``retry_in`` is in seconds, from when the status was made."""

    state: EngineState
    reason: str = ""
    info: EngineInfo | None = None
    pid: int | None = None
    url: str = ""
    retry_in: float | None = None


class EngineSupervisor:
    """Never blocks a keystroke: who asks while no engine is ready gets None, and it is started."""

    def __init__(
        self,
        options: EngineOptions,
        paths: StorePaths,
        on_change: Callable[[EngineStatus], None],
        *,
        renew: bool = False,
    ) -> None:
        """With ``renew`` an engine that runs is started again, with these options."""
        self._options = options
        self._renew = renew
        self._paths = paths
        self._on_change = on_change
        self._status = EngineStatus(EngineState.STOPPED)
        self._client: Engine | None = None
        self._running: RunningEngine | None = None
        self._starting: asyncio.Task[None] | None = None
        self._beside: set[asyncio.Task[None]] = set()
        self._failures = 0
        self._retry_at = 0.0
        self._ready_at = 0.0

    @property
    def status(self) -> EngineStatus:
        return self._status

    def engine(self) -> Engine | None:
        """The engine if it is ready; otherwise None, and it is on its way."""
        if self._client is None:
            self._start()
        return self._client

    def failed(self, error: EngineError) -> None:
        """Say that a request failed: an engine that does not answer is started again."""
        if self._client is None:
            return
        if isinstance(error, EngineRequestError) and error.status != UNAUTHORISED:
            if error.param == "model":  # somebody switched it
                self._later(self.refresh())
            return
        # One that knows another token than ours was started anew behind our back.
        _LOG.warning("The engine is gone: %s", error)
        self._drop_client()
        died_young = time.monotonic() - self._ready_at < STABLE_SECONDS
        if died_young and self._failures:
            self._back_off(error)  # it starts, but every first answer ends it
            return
        self._failures = int(died_young)
        self._set(EngineStatus(EngineState.STOPPED, str(error)))
        self._start()

    async def wait_ready(self, timeout: float) -> Engine:  # noqa: ASYNC109 - a deadline, not a scope
        """The engine, once it is ready; raises ``EngineError`` if that fails or takes too long."""
        deadline = time.monotonic() + timeout
        while (engine := self.engine()) is None:
            if self._starting is None:
                raise EngineUnavailableError(self._status.reason)
            left = deadline - time.monotonic()
            done, _ = await asyncio.wait({self._starting}, timeout=max(left, 0))
            if not done:
                raise EngineUnavailableError("The engine is still loading; try again in a moment.")
            if self._status.state is EngineState.FAILED:
                raise EngineUnavailableError(self._status.reason)
        return engine

    async def switch_model(self, name: str) -> EngineInfo:
        """Serve another installed model; the old one serves until it has loaded."""
        engine = await self.wait_ready(timeout=120)
        await engine.switch_model(name)
        await self.refresh()
        if self._status.info is None:
            raise EngineUnavailableError(self._status.reason)
        return self._status.info

    async def refresh(self) -> None:
        """Ask again what is served: somebody else may have switched the model, or ended it.

        Starts nothing: an engine that went idle is started by the next keystroke.
        """
        if self._client is None or self._running is None:
            return
        client, running = self._client, self._running
        try:
            info = await client.ask_info()
        except EngineError as error:
            if self._client is client:
                self._drop_client()
                self._set(EngineStatus(EngineState.STOPPED, str(error)))
            return
        self._set(EngineStatus(EngineState.READY, "", info, running.pid, running.url))

    async def aclose(self) -> None:
        """Let go of the engine; it is shared, so it goes on until it is idle."""
        if self._starting:
            self._starting.cancel()
            await asyncio.gather(self._starting, return_exceptions=True)
        self._drop_client()
        await asyncio.gather(*self._beside)

    def _start(self) -> None:
        if self._starting is None and time.monotonic() >= self._retry_at:
            self._set(EngineStatus(EngineState.STARTING))
            self._starting = asyncio.create_task(self._run_start())

    async def _run_start(self) -> None:
        try:
            running = await find_or_start(self._paths, self._options, renew=self._renew)
            self._renew = False
            client = await connect(running.url, running.token)
            try:
                info = await client.info()
                wanted = self._options.model
                if wanted and running.pid and info.model != wanted:
                    info = await client.switch_model(wanted)
            except BaseException:
                await client.aclose()
                raise
        except Exception as error:  # noqa: BLE001 - or else the state would be STARTING for ever
            if not isinstance(error, (EngineError, OSError)):
                _LOG.exception("The engine could not be started.")
            self._back_off(error)
        else:
            self._client, self._running = client, running
            self._ready_at = time.monotonic()
            self._set(EngineStatus(EngineState.READY, "", info, running.pid, running.url))
        finally:
            self._starting = None

    def _back_off(self, error: Exception) -> None:
        """Wait twice as long after every failure: a broken model must not spin the processor."""
        wait = min(FIRST_RETRY_SECONDS * 2**self._failures, LONGEST_RETRY_SECONDS)
        self._failures += 1
        self._retry_at = time.monotonic() + wait
        _LOG.warning("The engine did not start (again in %.1f s): %s", wait, error)
        self._set(EngineStatus(EngineState.FAILED, str(error), retry_in=wait))

    def _drop_client(self) -> None:
        if self._client is not None:
            self._later(self._client.aclose())
        self._client = self._running = None

    def _later(self, work: Coroutine[Any, Any, None]) -> None:
        """Do something beside; a task that nobody holds may be collected in mid-work."""
        task = asyncio.create_task(work)
        self._beside.add(task)
        task.add_done_callback(self._beside.discard)

    def _set(self, status: EngineStatus) -> None:
        if status != self._status:
            self._status = status
            self._on_change(status)
