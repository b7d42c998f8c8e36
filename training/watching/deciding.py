"""When the next run begins: by itself, as the triggers have it, or because the user wants one."""

from lsp_server.trainer_messages import Schedule

from .drift_scores import drift_of
from .looking import Looking
from .machine import MachineState
from .presence import Presence
from .running import Running
from .surroundings import Surroundings
from .terms import TrainingTerms
from .triggers import Facts, idle, waiting_for


class Deciding:
    """``machine`` is how it was at the last look, ``missing`` names what training lacks."""

    def __init__(
        self,
        at: Surroundings,
        terms: TrainingTerms,
        presence: Presence,
        running: Running,
        looking: Looking,
    ) -> None:
        self._at, self._terms, self._presence = at, terms, presence
        self._running, self._looking = running, looking
        self.machine = MachineState()
        self.missing: tuple[str, ...] = ()

    def settle(self, given: Schedule | None = None) -> None:
        """Look anew at what holds, and at what is installed."""
        self._terms.settle(given)
        self.missing = tuple(self._at.missing())

    def waiting_for(self, now: float) -> tuple[str, ...]:
        """All that keeps a run from beginning by itself, in words."""
        return waiting_for(self._facts(now), self._terms.schedule)

    def between_runs(self, now: float) -> None:
        """Begin a run if it is time for one; else see now and then how what serves is doing."""
        running, schedule = self._running, self._terms.schedule
        if schedule.mode == "off" or running.memory.paused or self._looking.busy:
            return
        if running.noting or running.retry.waits(now):
            return
        by_itself = schedule.mode == "automatic"
        if running.wanted or (by_itself and not self.waiting_for(now)):
            self.missing = tuple(self._at.missing())
            if not self.missing:
                self._begin(now)
        elif by_itself and schedule.drift and not idle(self._facts(now), schedule):
            self._looking.ask_for_drift(now)

    def _begin(self, now: float) -> None:
        try:
            self._running.begin(self._terms.rules)
        except OSError as error:
            self._running.retry.failed(f"training could not be started: {error}", now)

    def _facts(self, now: float) -> Facts:
        memory = self._running.memory
        return Facts(
            pending=memory.pending,
            quiet=self._presence.quiet(now),
            since_run=self._running.since_run(now),
            drift=drift_of(memory.drift) if memory.drift else None,
            unfinished=memory.unfinished,
            on_battery=self.machine.on_battery,
            memory_low=self.machine.memory_low,
            minute=self._at.clock.minute(),
        )
