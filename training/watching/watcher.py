"""The trainer of one repository: hears orders and changes, begins runs, and keeps out of the way.

One thread takes messages from one queue and does nothing that takes long, so that a run stands
still as soon as somebody types. What takes long is the worker's.
"""

from collections.abc import Callable

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
from .deciding import Deciding
from .drift_scores import together
from .following import OBSERVED, Following
from .inbox import Inbox
from .looking import COUNTED, DRIFTED, Looking
from .messages import EndOfOrders, Message, Trouble
from .presence import Presence
from .processes import Ended, Said
from .reporting import Known, report
from .running import BEGUN, FINISHED, Running
from .surroundings import Surroundings
from .terms import TrainingTerms
from .worker import Done, Worker

TICK_SECONDS = 1.0
"""Between two looks at the clock, the memory, the power and the lock."""
GLANCE_SECONDS = 0.15
"""While a run goes on, between two looks at whether somebody types in another window."""
FIRST_SCHEDULE_SECONDS = 5.0
"""For an editor to say how it wants things, before the defaults hold."""


class Watcher:
    """``inbox`` takes messages from any thread; ``tell`` gets a report after every change."""

    def __init__(self, at: Surroundings, tell: Callable[[TrainerReport], None]) -> None:
        self._at, self._tell = at, tell
        self.inbox = Inbox()
        worker = Worker(self.inbox.put)
        now = at.clock.monotonic()
        self._running = Running(at, worker, self.inbox.put)
        self._looking = Looking(at, worker)
        self._following = Following(at, worker, self.inbox.put)
        self._presence = Presence(at.paths, now)
        self._terms = TrainingTerms(at.root)
        self._deciding = Deciding(at, self._terms, self._presence, self._running, self._looking)
        self._deciding.settle()
        self._hears_from = now + FIRST_SCHEDULE_SECONDS
        self._acted = now
        self._trouble = self._notice = self._unnoted = ""
        self._counted = False
        self._leaving = False
        self._told = TrainerReport("off")

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
        if self._presence.has_typed_elsewhere():
            messages.append(Typing())
        for message in messages:
            self._take(message)
        now = self._at.clock.monotonic()
        if all(isinstance(it, Changed) for it in messages) and now < self._due:
            return False
        self._acted = now
        return True

    def _rest(self) -> float:
        left = max(0.0, self._due - self._at.clock.monotonic())
        return min(left, GLANCE_SECONDS) if self._running.run else left

    @property
    def _due(self) -> float:
        """When to act by the clock. A burst that was over at the last time and is still there could
        not be taken then (a count is under way, we leave): it waits for the clock like all else.
        """
        tick, burst = self._acted + TICK_SECONDS, self._following.due
        return tick if burst is None or burst <= self._acted else min(tick, burst)

    def _take(self, message: Message) -> None:
        now, running = self._at.clock.monotonic(), self._running
        match message:
            case Typing():
                self._presence.typed(now)
                if running.run:
                    running.run.hold("typing", now)
            case Said(event):
                if running.run:
                    running.run.said(event)
            case Ended():
                running.ended(message, now)
            case Changed():
                self._following.changed(message, now)
                self._presence.saved(now)
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
            case Train() if self._terms.schedule.mode == "off":
                pass  # never: the report says why, and the server refuses in its words
            case Train() if running.run is None or running.run.ending:
                running.remember(paused=False)
                running.retry.forget()
                running.wanted = True
            case Train() if running.run:
                running.remember(paused=False)
                running.run.forced = True
            case Cancel():
                running.cancel(now)
            case Pause():
                running.remember(paused=True)
            case Resume():
                running.resume()
            case Schedule():
                self._hears_from = now
                self._deciding.settle(order)

    def _done(self, done: Done) -> None:
        running = self._running
        if done.name == OBSERVED:
            self._trouble = self._following.begun(done) or self._trouble
        elif done.name == DRIFTED and done.result is not None:
            running.remember(drift=together(running.memory.drift, done.result))
        elif done.name == BEGUN:
            what = f"what is learnt now cannot be noted, and stays new: {done.error}"
            self._unnoted = what if done.error is not None else ""
        elif done.name in {COUNTED, FINISHED}:
            if done.name == COUNTED:
                self._looking.counted()
            else:
                running.noting = False
            if done.error is not None:
                self._trouble = f"what is new could not be counted: {done.error}"
            else:
                self._trouble, self._counted = "", True
                running.counted(done.result)

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
        schedule = self._terms.schedule
        self._deciding.machine = machine = self._at.machine()
        running.look_for_others(now)
        if running.run and not self._presence.types(now):
            running.run.release("typing")
        running.hold(
            now,
            memory=machine.memory_low,
            battery=machine.on_battery and not schedule.on_battery,
            user=running.memory.paused,
        )
        if running.run and running.run.own and schedule.mode == "off":
            running.run.end(now)
        if running.run is None:
            self._deciding.between_runs(now)

    def _watch(self, now: float) -> None:
        """Follow the repository's files, unless training is off."""
        if self._terms.schedule.mode == "off":
            self._following.stop()
        elif not self._following.goes_on:
            self._notice = ""
            self._following.begin()
            self._looking.count(Changed())
        elif not self._looking.busy and (changed := self._following.take(now)):
            if changed.rules:
                self._deciding.settle()
                self._following.stop()  # and begin again, with a count of everything
            else:
                self._looking.count(changed)

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
            run.let_go()
            self._running.run = None
            self._running.remember(held=None)

    def _report(self) -> None:
        running, terms, now = self._running, self._terms, self._at.clock.monotonic()
        told = report(
            Known(
                root=str(self._at.root),
                schedule=terms.schedule,
                memory=running.memory,
                waiting_for=self._deciding.waiting_for(now),
                retry=running.retry,
                now=now,
                trouble=self._trouble,
                notice=terms.faulty or self._unnoted or self._notice,
                missing=self._deciding.missing,
                counted=self._counted,
                team_is_off=terms.team_is_off,
                run=running.run.report() if running.run else None,
            )
        )
        running.remember(
            schedule=terms.schedule,
            state=told.state,
            message=told.message,
            waiting_for=told.waiting_for,
        )
        running.save()
        if told != self._told:
            self._told = told
            self._tell(told)
