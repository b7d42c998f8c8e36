"""The trainer of one repository: hears orders and changes, begins runs, and keeps out of the way.

One thread takes messages from one queue and does nothing that takes long, so that a run stands
still as soon as somebody types. What takes long is the worker's.
"""

import logging
from collections.abc import Callable, Sequence

from lsp_server.trainer_messages import (
    Cancel,
    Order,
    Pause,
    Resume,
    Schedule,
    Train,
    TrainerReport,
    Typing,
)

from .bursts import Changed
from .drift_scores import drift_of, together
from .following import OBSERVED, Following
from .inbox import Inbox
from .looking import COUNTED, DRIFTED, Looking
from .machine import MachineState
from .messages import EndOfOrders, Message, Trouble
from .processes import Ended, Said
from .reporting import Known, report
from .running import FINISHED, Running
from .surroundings import Surroundings
from .terms import TrainingTerms
from .triggers import Facts, idle, waiting_for
from .worker import Done, Worker

_log = logging.getLogger(__name__)
TICK_SECONDS = 1.0
"""Between two looks at the clock, the memory, the power and the lock."""
RESUME_SECONDS = 3.0
"""Without a keystroke before a run goes on."""
FIRST_SCHEDULE_SECONDS = 5.0
"""For an editor to say how it wants things, before the defaults hold."""


class Watcher:
    """``inbox`` takes messages from any thread; ``tell`` gets a report after every change."""

    def __init__(self, at: Surroundings, tell: Callable[[TrainerReport], None]) -> None:
        self._at, self._tell = at, tell
        self.inbox = Inbox()
        self._worker = Worker(self.inbox.put)
        self._running = Running(at, self._worker, self.inbox.put)
        self._looking = Looking(at, self._worker)
        self._following = Following(at, self._worker, self.inbox.put)
        self._terms = TrainingTerms(at.root)
        now = at.clock.monotonic()
        self._hears_from = now + FIRST_SCHEDULE_SECONDS
        self._typed: float | None = None
        self._active = self._acted = now
        self._machine = MachineState()
        self._missing: Sequence[str] = ()
        self._trouble = self._notice = ""
        self._counted = False
        self._leaving = False
        self._told = TrainerReport("off")
        self._settle()

    def run(self) -> None:
        """Until the orders end; then what runs is ended softly, and all is saved."""
        while not (self._leaving and self._running.run is None):
            if self._hear():
                self._tick()
                self._report()
        self._following.stop()
        self._running.save()

    def _hear(self) -> bool:
        """Wait for messages, and take all that have come; whether it is time to act.

        A branch switch changes files by the ten thousand: those wait for the clock, see ``Burst``.
        """
        messages = self.inbox.take(self._rest())
        for message in messages:
            self._take(message)
        now = self._at.clock.monotonic()
        files_alone = messages and all(isinstance(it, Changed) for it in messages)
        if files_alone and now - self._acted < TICK_SECONDS:
            return False
        self._acted = now
        return True

    def _rest(self) -> float:
        """Seconds until something is due by the clock."""
        due = self._following.due
        left = TICK_SECONDS if due is None else due - self._at.clock.monotonic()
        return min(TICK_SECONDS, max(0.0, left))

    def _take(self, message: Message) -> None:
        now, running = self._at.clock.monotonic(), self._running
        match message:
            case Typing():
                self._typed = self._active = now
                if running.run:
                    running.run.hold("typing")
            case Said(event):
                if running.run:
                    running.run.said(event)
            case Ended():
                running.ended(message, now)
            case Changed():
                self._following.changed(message, now)
                self._active = now
            case Done():
                self._done(message)
            case Trouble(sentence):
                self._notice = sentence
            case EndOfOrders():
                self._leave(now)
            case _:
                self._order(message, now)

    def _order(self, order: Order, now: float) -> None:
        running = self._running
        match order:
            case Train() if self._schedule.mode == "off":
                pass  # never, and the report says so
            case Train() if running.run is None or running.run.ending:
                running.remember(paused=False)
                running.retry.forget()
                running.wanted = True
            case Train() if running.run:
                running.remember(paused=False)
                running.run.forced = True
            case Cancel():
                running.cancel(now)
            case Pause() | Resume():
                running.remember(paused=isinstance(order, Pause))
            case Schedule():
                self._hears_from = now
                self._settle(order)

    def _done(self, done: Done) -> None:
        if done.name in {COUNTED, FINISHED}:
            if done.name == COUNTED:
                self._looking.counted()
            else:
                self._running.noting = False
            if done.error is not None:
                self._trouble = f"what is new could not be counted: {done.error}"
            else:
                self._trouble, self._counted = "", True
                if done.result != self._running.memory.pending:
                    self._running.retry.changed()
                self._running.remember(pending=done.result)
        elif done.name == OBSERVED:
            self._trouble = self._following.begun(done) or self._trouble
        elif done.name == DRIFTED and done.result is not None:
            self._running.remember(drift=together(self._running.memory.drift, done.result))

    def _tick(self) -> None:
        now, running = self._at.clock.monotonic(), self._running
        if running.run:
            running.run.insist(now)
        if self._leaving or now < self._hears_from:
            return
        if not self._at.root.is_dir():
            self._root_is_gone(now)
            return
        self._watch(now)
        self._machine = self._at.machine()
        running.look_for_others(now)
        quiet = self._typed is None or now - self._typed >= RESUME_SECONDS
        if running.run and quiet:
            running.run.release("typing")
        running.hold(
            now,
            memory=self._machine.memory_low,
            battery=self._machine.on_battery and not self._schedule.on_battery,
            user=running.memory.paused,
        )
        if running.run and running.run.own and self._schedule.mode == "off":
            running.run.end(now)
        if running.run is None:
            self._between_runs(now)

    def _watch(self, now: float) -> None:
        """Follow the repository's files, unless training is off."""
        if self._schedule.mode == "off":
            self._following.stop()
        elif not self._following.goes_on:
            self._notice = ""
            self._following.begin()
            self._looking.count(Changed())
        elif not self._looking.busy and (changed := self._following.take(now)):
            if changed.rules:
                self._settle()
                self._following.stop()  # and begin again, with a count of everything
            else:
                self._looking.count(changed)

    def _settle(self, given: Schedule | None = None) -> None:
        """Look anew at what holds, and at what is installed."""
        self._terms.settle(given)
        self._missing = self._at.missing()

    @property
    def _schedule(self) -> Schedule:
        return self._terms.schedule

    def _between_runs(self, now: float) -> None:
        running, schedule = self._running, self._schedule
        if schedule.mode == "off" or running.memory.paused or self._looking.busy:
            return
        if running.noting or running.retry.waits(now):
            return
        if running.wanted or (schedule.mode == "automatic" and not self._waiting_for(now)):
            self._missing = self._at.missing()
            if not self._missing:
                self._begin(now)
        elif (
            schedule.drift and schedule.mode == "automatic" and not idle(self._facts(now), schedule)
        ):
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
            quiet=now - self._active,
            since_run=self._running.since_run(now),
            drift=drift_of(memory.drift) if memory.drift else None,
            unfinished=memory.unfinished,
            on_battery=self._machine.on_battery,
            memory_low=self._machine.memory_low,
            minute=self._at.clock.minute(),
        )

    def _waiting_for(self, now: float) -> tuple[str, ...]:
        return waiting_for(self._facts(now), self._schedule)

    def _root_is_gone(self, now: float) -> None:
        self._trouble = f"{self._at.root} is gone; bring it back, or close it"
        self._following.stop()
        if self._running.run and self._running.run.own:
            self._running.run.end(now)

    def _leave(self, now: float) -> None:
        self._leaving = True
        run = self._running.run
        if run and run.own:
            run.end(now)
        elif run:  # somebody else's goes on without us
            for held in ("user", "battery", "memory", "typing"):
                run.release(held)
            self._running.run = None
            self._running.remember(held=None)

    def _report(self) -> None:
        running, now = self._running, self._at.clock.monotonic()
        told = report(
            Known(
                root=str(self._at.root),
                schedule=self._schedule,
                memory=running.memory,
                waiting_for=self._waiting_for(now),
                retry=running.retry,
                now=now,
                trouble=self._trouble,
                notice=self._terms.faulty or self._notice,
                missing=self._missing,
                counted=self._counted,
                run=running.run.report() if running.run else None,
            )
        )
        running.remember(
            schedule=self._schedule,
            state=told.state,
            message=told.message,
            waiting_for=told.waiting_for,
        )
        running.save()
        if told != self._told:
            self._told = told
            self._tell(told)
