"""The runs of one repository, one after the other: begun, followed, ended, and remembered."""

import logging
import os
from collections.abc import Callable
from datetime import UTC, datetime

import msgspec

from lsp_server.store.adapters import AdapterRegistry
from lsp_server.store.adapters.manifest import PROMOTED
from lsp_server.store.locks import RunLock
from lsp_server.store.repositories import RepositoryStore
from lsp_server.store.trainer_state import TrainerMemory, read_trainer, write_trainer
from lsp_server.store.training_rules import TrainingRules
from lsp_server.trainer_messages import Verdict

from . import processes
from .current_run import CurrentRun, OtherProcess
from .pairs import PairRecord
from .processes import Ended, Said, TrainProcess, holder_of
from .retrying import Retry, how_it_ended, verdict_of
from .surroundings import Surroundings
from .worker import Worker

_log = logging.getLogger(__name__)
ROOM_SECONDS = 300.0
"""Before a run that was ended for want of memory is taken up again."""
BEGUN, FINISHED = "begun", "finished"
"""The worker's names for writing down what a run learns, and that it has learnt it; the result of
the latter is what is pending then."""


class Running:
    """At most one run goes on; ``told`` hears what it says, in other threads.

    ``wanted`` is whether the user asked for one that has not begun, ``noting`` whether what the
    last one learnt is being written down: until then, it counts as pending.
    """

    def __init__(
        self, at: Surroundings, worker: Worker, told: Callable[[Said | Ended], None]
    ) -> None:
        self._at, self._worker, self._told = at, worker, told
        self.store = RepositoryStore.of(at.paths, at.root)
        self.memory: TrainerMemory = read_trainer(self.store)
        self._written: TrainerMemory | None = None
        self._unwritable = False
        self.run: CurrentRun | None = None
        self.retry = Retry()
        self.wanted = False
        self.noting = False
        self._noted = False
        self._others_began: datetime | None = None
        self._ended_at = self._when_it_ended()
        self.remember(watcher=holder_of(os.getpid()))
        self._adopt()

    def remember(self, **fields: object) -> None:
        """Change what is remembered; :meth:`save` writes it."""
        self.memory = msgspec.structs.replace(self.memory, **fields)

    def save(self) -> None:
        """Write what is remembered, if it has changed; a full disk is no reason to end. What could
        not be written is tried again the next time, and told once.
        """
        if self.memory == self._written:
            return
        try:
            write_trainer(self.store, self.memory)
        except OSError as error:
            if not self._unwritable:
                _log.warning("what the trainer remembers cannot be written: %s", error)
            self._unwritable = True
        else:
            self._written, self._unwritable = self.memory, False

    def counted(self, pending: int) -> None:
        """So many pairs are pending; a change may make possible what was not."""
        if pending != self.memory.pending:
            self.retry.changed()
        self.remember(pending=pending)

    def since_run(self, now: float) -> float | None:
        """Seconds since the last run's end; None if there was none."""
        return None if self._ended_at is None else now - self._ended_at

    def begin(self, rules: TrainingRules) -> None:
        """Start a run; raises ``OSError``. What there is now is what it learns."""
        forced, self.wanted = self.wanted, False
        self._worker.submit(BEGUN, self._note_beginning)
        command = self._at.command(self._at.root, rules)
        process = TrainProcess(command, self._at.paths, self._told)
        self.run = CurrentRun(process, own=True, forced=forced)
        self.remember(unfinished=True, child=process.holder)
        self.save()

    def cancel(self, now: float) -> None:
        """End the run, or do not take up the one that was interrupted."""
        self.wanted = False
        self.retry.forget()
        self.remember(unfinished=False)
        if self.run:
            self.run.cancelled = True
            self.run.end(now)

    def resume(self) -> None:
        """The user's pause is over, and a run that was ended for it goes on, at once."""
        self.remember(paused=False)
        if self.memory.unfinished and (self.run is None or self.run.ending):
            self.wanted = True

    def hold(self, now: float, *, memory: bool, battery: bool, user: bool) -> None:
        """What holds the run now, besides the user's typing; for too long, it is ended for now.

        That is for our own. Whoever began one in a terminal would see it freeze, without a word.
        """
        run = self.run
        if run is None:
            return
        if run.own:
            run.set("user", now, held=user)
            run.set("battery", now, held=battery and not run.forced)
            run.set("memory", now, held=memory)
            run.give_up(now)
        else:  # so that a watcher that comes after a killed one lets go what that one held
            self.remember(held=run.process.holder if run.held_by else None)

    def ended(self, ended: Ended, now: float) -> None:
        """The run that the watcher started is over."""
        run, self.run = self.run, None
        if run is None:
            return
        self.remember(child=None)
        reason = run.error or ended.said or f"the training ended with status {ended.status}"
        how = how_it_ended(ended.status)
        if how == "finished":
            last = verdict_of(run.verdict, self._at.clock.wall()) if run.verdict else None
            self._finished(last or self._newest_verdict(), now)
        elif run.cancelled or (how == "cancelled" and not run.ending):
            self._is_over(now)  # by the user, here or with a signal
        elif run.ending:  # for now, and maybe at once
            self.wanted |= run.forced and bool(run.given_up)
            if run.given_up == "memory":
                self.retry.refused("memory was short", now, ROOM_SECONDS)
        elif how == "refused":
            self.retry.refused(reason, now)
            self.wanted |= run.forced
        else:
            self.retry.failed(reason, now)
            self.wanted |= run.forced and self.retry.until is not None

    def look_for_others(self, now: float) -> None:
        """Notice a run of this repository that somebody else started, and its end."""
        if self.run and self.run.own:
            return
        holder = RunLock(self.store).holder()
        if self.run and (holder is None or holder.pid != self.run.process.holder.pid):
            self.run.let_go()  # it may be on its way out, and stand still there
            self.run = None
            self.remember(held=None)
            self._others_ended(now)
        if holder and self.run is None:
            self._others_began = datetime.now(UTC)
            self._worker.submit(BEGUN, self._note_beginning)
            self.run = CurrentRun(OtherProcess(holder), own=False)
            self.run.is_of_another()

    def _is_over(self, now: float) -> None:
        self._ended_at = now
        self.remember(unfinished=False, finished=self._at.clock.wall())

    def _finished(self, last: Verdict | None, now: float) -> None:
        self.retry.forget()
        self._is_over(now)
        # What was new is learnt, or the gate has refused it: either way that drift has had its run.
        self.remember(last=last or self.memory.last, drift=None)
        self.noting = True
        self._worker.submit(FINISHED, self._note_end)

    def _others_ended(self, now: float) -> None:
        """Whether it published an adapter tells whether it came to its end."""
        verdict = self._newest_verdict()
        began = self._others_began
        if verdict and began and verdict.finished >= began.timestamp():
            self._finished(verdict, now)

    def _newest_verdict(self) -> Verdict | None:
        newest = next(iter(AdapterRegistry(self.store).all()), None)
        if newest is None:
            return None
        gate = newest.gate
        return Verdict(
            newest.id, newest.verdict == PROMOTED, gate.gain, gate.lower, gate.spans,
            gate.reason, newest.created.timestamp(),
        )  # fmt: skip

    def _note_beginning(self) -> None:
        self._noted = False
        with PairRecord.of(self.store) as record:
            record.begin()
        self._noted = True

    def _note_end(self) -> int:
        with PairRecord.of(self.store) as record:
            if self._noted:  # else the record has what a former run learnt from
                record.finish()
            return record.pending()

    def _when_it_ended(self) -> float | None:
        """The last run's end on this process's clock; one in the future is now."""
        if self.memory.finished is None:
            return None
        clock = self._at.clock
        return clock.monotonic() - max(0.0, clock.wall() - self.memory.finished)

    def _adopt(self) -> None:
        """Clean up behind a watcher that was killed.

        Its run goes on without anybody hearing it, or stands still: it is ended, so that a
        new one goes on from its checkpoint.
        """
        child, held = self.memory.child, self.memory.held
        if held is not None:
            processes.resume(held)
        if child is not None and child.is_alive:
            self.run = CurrentRun(OtherProcess(child), own=False)
            self.run.end(self._at.clock.monotonic())
        self.remember(child=None, held=None)
