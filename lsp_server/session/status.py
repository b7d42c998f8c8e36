"""What a user may want to know about a session, and when the editor is told of it."""

import asyncio
from collections import deque
from collections.abc import Callable
from typing import TYPE_CHECKING

import msgspec

from .. import __version__
from ..completion.provider import Completion
from ..protocol import EngineReport, Outcome, State, Status
from ..trainer_messages import TrainerReport

if TYPE_CHECKING:  # the HTTP client is imported after the editor has its answer to `initialize`
    from ..engine.supervisor import EngineStatus

RECENT = 20
TRAINER_SECONDS = 0.5
"""Least time between two messages of which only the trainer's figures are new."""


class StatusBoard:
    """Keeps what a status tells besides the engine's own state, and tells every change once.

    ``on_status`` hears of every change that a user would notice: at once, but of a trainer's
    progress at most twice a second, the last of it always.
    """

    def __init__(self, on_status: Callable[[Status], None]) -> None:
        self.setup: tuple[State, str] | None = ("starting", "Tenon is starting.")
        self.last_error = ""
        self.accepted = 0
        self._on_status = on_status
        self._recent: deque[Outcome] = deque(maxlen=RECENT)
        self._published: Status | None = None
        self._later: asyncio.TimerHandle | None = None
        self._told = 0.0

    def note(self, completion: Completion) -> None:
        """One more request has ended."""
        elapsed = completion.timings.get("total_ms", 0.0)
        self._recent.append(
            Outcome(completion.reason, elapsed, completion.timings, completion.adapter)
        )

    def status(
        self,
        engine: "EngineStatus | None",
        *,
        enabled: bool,
        adapter: str | None,
        trainer: TrainerReport | None,
        trouble: str = "",
    ) -> Status:
        """Everything, as ``tenon/status`` gives it; ``engine`` None: the set-up has none yet.

        ``trouble`` is what is wrong with the adapter for as long as it is.
        """
        report = report_engine(engine) if engine else EngineReport("stopped")
        model = engine.info.model if engine and engine.info else ""
        state, message = self._state(report, model) if enabled else _DISABLED
        return Status(
            state=state,
            message=message,
            version=__version__,
            engine=report,
            model=model,
            adapter=adapter if model else None,
            last_error=self.last_error or trouble,
            recent=tuple(self._recent),
            accepted=self.accepted,
            trainer=trainer,
        )

    def publish(self, look: Callable[[], Status]) -> None:
        """Tell the editor what changed, if a user would notice it; ``look`` makes the status."""
        now = look()
        lasting = _lasting(now)
        if lasting == self._published:
            return
        if self._published is None or _without_trainer(lasting) != _without_trainer(
            self._published
        ):
            self._tell(now)
        elif self._later is None:
            loop = asyncio.get_running_loop()
            wait = self._told + TRAINER_SECONDS - loop.time()
            if wait <= 0:
                self._tell(now)
            else:
                self._later = loop.call_later(wait, self._tell_later, look)

    def announce(self, look: Callable[[], Status]) -> None:
        """Tell everything, changed or not: what was published before went to nobody."""
        self._tell(look())

    def close(self) -> None:
        """Tell nothing more by itself."""
        if self._later is not None:
            self._later.cancel()
            self._later = None

    def _tell_later(self, look: Callable[[], Status]) -> None:
        self._later = None
        now = look()
        if _lasting(now) != self._published:
            self._tell(now)

    def _tell(self, status: Status) -> None:
        self.close()
        self._published = _lasting(status)
        if status.trainer is not None:
            self._told = asyncio.get_running_loop().time()
        self._on_status(status)

    def _state(self, engine: EngineReport, model: str) -> tuple[State, str]:
        if self.setup is not None and engine.state != "ready":
            return self.setup
        if engine.state == "ready":
            return "ready", f"{model} is serving."
        if engine.state == "starting":
            return "starting", "The engine is loading its model."
        if engine.state == "failed":
            return "error", engine.reason
        return "stopped", "The engine is not running; the next keystroke starts it."


_DISABLED: tuple[State, str] = ("disabled", "Completions are switched off by `tenon.enabled`.")


def _lasting(status: Status) -> Status:
    """Without what changes all the time and is no news."""
    engine = msgspec.structs.replace(status.engine, retry_in=None)
    return msgspec.structs.replace(status, recent=(), accepted=0, engine=engine)


def _without_trainer(status: Status) -> Status:
    """Without a trainer's figures; its state is news at once."""
    trainer = status.trainer
    bare = TrainerReport(trainer.state, root=trainer.root) if trainer else None
    return msgspec.structs.replace(status, trainer=bare)


def report_engine(status: "EngineStatus") -> EngineReport:
    """An engine's status as the protocol reports it."""
    info = status.info
    return EngineReport(
        state=str(status.state),
        reason=status.reason,
        pid=status.pid,
        url=status.url,
        context=info.context if info else 0,
        prefill_speed=info.prefill_speed if info else 0.0,
        decode_speed=info.decode_speed if info else 0.0,
        retry_in=status.retry_in,
    )
