"""The files of one repository, followed: an observation that begins and ends, bursts folded."""

from collections.abc import Callable

from lsp_server.errors import SettingsError
from lsp_server.store.rules import Rules

from .bursts import Burst, Changed
from .messages import Message, Trouble
from .observing import Observation
from .surroundings import Surroundings
from .worker import Done, Worker

OBSERVED = "observed"
"""The worker's name for beginning to follow the files; its result is the observation."""


class Following:
    """``inbox`` gets what changes, and what the user should know of it, from other threads."""

    def __init__(self, at: Surroundings, worker: Worker, inbox: Callable[[Message], None]) -> None:
        self._at, self._worker, self._inbox = at, worker, inbox
        self._burst = Burst()
        self._observation: Observation | None = None
        self._beginning = False

    @property
    def goes_on(self) -> bool:
        """Whether the files are followed, or will be in a moment."""
        return self._beginning or self._observation is not None

    @property
    def due(self) -> float | None:
        """When a burst is over, on the monotonic clock; None if there is none."""
        return self._burst.due

    def begin(self) -> None:
        """Follow the files from now on; the worker reads the names of all folders for that."""
        self._beginning = True
        self._worker.submit(OBSERVED, self._observe)

    def begun(self, done: Done) -> str:
        """Take over what the worker made; returns why it could not, in a sentence."""
        self._beginning = False
        self._observation = done.result
        if isinstance(done.error, Exception):
            return f"the repository cannot be watched: {done.error}"
        return ""

    def changed(self, message: Changed, now: float) -> None:
        """Something has changed; more may follow."""
        self._burst.add(message, now)

    def take(self, now: float) -> Changed | None:
        """What has changed, if it is quiet by now."""
        return self._burst.take(now)

    def stop(self) -> None:
        """Follow nothing any more, and forget what has changed: who begins again looks at all."""
        self._burst = Burst()
        if self._observation:
            self._observation.stop()
        self._observation = None

    def _observe(self) -> Observation:
        try:
            rules = Rules.of(self._at.root)
        except SettingsError:
            rules = Rules()  # the count says what is wrong with the file
        return self._at.observe(
            self._at.root, rules, self._inbox, lambda said: self._inbox(Trouble(said))
        )
