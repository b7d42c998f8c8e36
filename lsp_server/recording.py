"""What becomes of this session's suggestions, on its way to the feedback file; never in the way.

A keystroke only appends to a list; a task writes it from a thread every few seconds. What cannot be
written (disk full, read-only home, a file of a newer Tenon) ends the recording with one line in the
log, and nothing else.
"""

import asyncio
import logging
import time
from collections import OrderedDict
from dataclasses import replace
from pathlib import Path

from .completion.query import Completion
from .completion.reasons import Reason
from .protocol import Event
from .store.feedback import EventKind, EventRecord, FeedbackStore, SuggestionRecord
from .store.paths import StorePaths
from .store.repositories import RepositoryStore

_log = logging.getLogger(__name__)
BATCH_SECONDS = 2.0
OFFERED = 200
"""Suggestions of which an event may still come; an editor cannot fill the disk with others."""


class FeedbackRecorder:
    """Records while ``enabled``; used by one event loop."""

    def __init__(self, paths: StorePaths) -> None:
        self.enabled = True
        self._paths = paths
        self._store: FeedbackStore | None = None
        self._suggestions: list[SuggestionRecord] = []
        self._events: list[EventRecord] = []
        self._offered: OrderedDict[str, int] = OrderedDict()
        self._repositories: dict[str, str] = {"": ""}
        self._writer: asyncio.Task[None] | None = None
        self._writing = asyncio.Lock()
        self._broken = False

    def offered(self, identifier: str, completion: Completion, root: str, language: str) -> None:
        """An editor was given a suggestion; ``root`` is its repository's folder ("": none)."""
        if not self._records:
            return
        self._offered[identifier] = len(completion.text)
        if len(self._offered) > OFFERED:
            self._offered.popitem(last=False)
        record = SuggestionRecord(
            id=identifier,
            time=time.time(),
            repository=root,  # its name in the store is found out in the thread that writes
            language=language,
            adapter=completion.adapter,
            model=completion.model,
            answered_by="cache" if completion.reason is Reason.CACHE else "engine",
            latency_ms=completion.timings.get("total_ms", 0.0),
            characters=len(completion.text),
            lines=completion.text.count("\n") + 1,
        )
        self._suggestions.append(record)
        self._write_soon()

    def accepted(self, identifier: str) -> None:
        """An editor inserted a suggestion whole, and said so."""
        self._note(identifier, "accepted", self._offered.get(identifier, 0), inferred=False)

    def event(self, event: Event) -> None:
        """An editor tells, or has concluded, what became of a suggestion."""
        taken = min(max(event.characters, 0), self._offered.get(event.id, 0))
        self._note(event.id, event.kind, taken, inferred=event.inferred)

    async def flush(self) -> None:
        """Write what there is now, for somebody who is about to read the file."""
        async with self._writing:
            await self._flush()

    async def aclose(self) -> None:
        """Write what is left, and give the file back."""
        if self._writer is not None:
            self._writer.cancel()
        async with self._writing:
            await self._flush()
            if self._store is not None:
                await asyncio.to_thread(self._store.close)
                self._store = None

    @property
    def _records(self) -> bool:
        return self.enabled and not self._broken

    def _note(self, identifier: str, kind: EventKind, characters: int, *, inferred: bool) -> None:
        if not self._records or identifier not in self._offered:
            return
        self._events.append(EventRecord(identifier, time.time(), kind, characters, inferred))
        self._write_soon()

    def _write_soon(self) -> None:
        if self._writer is None or self._writer.done():
            self._writer = asyncio.create_task(self._write_later())

    async def _write_later(self) -> None:
        while self._suggestions or self._events:
            await asyncio.sleep(BATCH_SECONDS)
            async with self._writing:
                await self._flush()

    async def _flush(self) -> None:
        """With the lock held: two threads must not write at once, and none can be called back."""
        suggestions, self._suggestions = self._suggestions, []
        events, self._events = self._events, []
        if not (suggestions or events) or not self._records:
            return
        work = asyncio.ensure_future(asyncio.to_thread(self._write, suggestions, events))
        try:
            await asyncio.shield(work)
        except asyncio.CancelledError:
            await asyncio.wait([work])
            raise
        except OSError as error:
            self._broken = True
            _log.warning("feedback is off until the next start: %s", error)

    def _write(self, suggestions: list[SuggestionRecord], events: list[EventRecord]) -> None:
        """In a thread; raises ``OSError``."""
        if self._store is None:
            self._store = FeedbackStore.open(self._paths.feedback)
        self._store.add([self._placed(entry) for entry in suggestions], events)

    def _placed(self, record: SuggestionRecord) -> SuggestionRecord:
        root = record.repository
        if root not in self._repositories:
            self._repositories[root] = RepositoryStore.of(self._paths, Path(root)).folder.name
        return replace(record, repository=self._repositories[root])
