"""Plays a trace in real time against whoever suggests, and notes what was on offer when."""

import asyncio
import contextlib
import time
from pathlib import Path

from .judging import expects, judge
from .notes import Keystroke, Replayed, Shown
from .screen import Screen
from .suggester import Document, Offer, Request, Suggester
from .traces import Task, Trace
from .typist import Edit, Key, Typist, indent_of

DEBOUNCE = 0.05
"""VS Code asks 50 ms after a key if the question before it is still open, else at once
(``inlineCompletionsSource.ts``)."""
REACTION = 0.35
"""Seconds that a suggestion must have been there before somebody accepts it."""
WORTH = 6
"""Characters that are worth a Tab."""
AFTER_TAB = 250.0
"""Milliseconds more before the next key, for looking at what was inserted."""
PATIENCE = 120.0
"""Seconds that an answer may take where everybody waits for it."""
LAST = 2.0
"""Seconds that the last question of a trace may take."""


class Replay:
    """One trace, played once.

    ``pace`` stretches every gap. With 0 nobody waits for a clock: the next key comes when the last
    one is answered, so that what is counted (tokens, hits, right texts) does not depend on how busy
    the machine is.
    """

    def __init__(
        self, trace: Trace, suggester: Suggester, root: Path, row: str, *, pace: float = 1.0
    ) -> None:
        self._pace = pace
        self._trace = trace
        self._suggester = suggester
        self._root = root
        self._texts = dict(trace.documents)
        self._screen = Screen()
        self._asking: asyncio.Task[None] | None = None
        self._offer: Offer | None = None
        self._typist: Typist | None = None
        self._task = 0
        self._started = 0.0
        self.noted = Replayed(trace.name, row)

    async def play(self) -> Replayed:
        """Type everything; the suggester is started already, and goes on afterwards."""
        before = await self._suggester.usage()
        self._started = time.perf_counter()
        self._due = self._started
        done: list[Task] = []
        path, cursor = self._trace.tasks[0].path, 0
        for number, task in enumerate(self._trace.tasks):
            start = task.offset + sum(
                len(other.text)
                for other in done
                if other.path == task.path and other.offset <= task.offset
            )
            if task.path != path:
                old = Document(path, self._texts[path]), cursor
                self._suggester.switched(old, (Document(task.path, self._texts[task.path]), start))
            self._task = number
            await self._type(task, start)
            done.append(task)
            path, cursor = task.path, self._typist.cursor if self._typist else 0
            if task.save:
                self._save(path, cursor)
        await self._settle()
        self.noted.seconds = time.perf_counter() - self._started
        self.noted.flickers, self.noted.grown = self._screen.flickers, self._screen.grown
        self.noted.usage = (await self._suggester.usage()).since(before)
        return self.noted

    async def _type(self, task: Task, start: int) -> None:
        text = self._texts[task.path]
        line = text[:start].rpartition("\n")[2]
        typist = self._typist = Typist(task, start, text[start:], indent_of(text), line_before=line)
        self._cancel()
        self._screen.hide()
        self._suggester.rests(Document(task.path, text), start)
        wait = task.pause
        while key := typist.next_key():
            await self._sleep(wait + key.gap)
            wait = 0.0
            if (offer := self._wanted(typist)) is not None:
                typist.unread(key)
                edit = typist.accept(offer.text, offer.replaced)
                self._accept(task.path, edit, offer)
                wait = AFTER_TAB
            else:
                self._press(task.path, typist, key)

    async def _sleep(self, milliseconds: float) -> None:
        # Against the clock of the trace, so that no lateness adds up.
        if not self._pace:
            await self._patience()
            return
        self._due += milliseconds * self._pace / 1000
        await asyncio.sleep(max(0.0, self._due - time.perf_counter()))
        self._due = max(self._due, time.perf_counter() - 0.05)

    async def _patience(self) -> None:
        if self._asking is not None:
            async with asyncio.timeout(PATIENCE):
                await self._asking

    def _wanted(self, typist: Typist) -> Offer | None:
        """What is accepted now instead of pressing a key."""
        shown = self._screen.shown
        if shown is None or not typist.takes or not typist.is_clean:
            return None
        if self._pace and time.perf_counter() - shown.since < REACTION:
            return None
        verdict = judge(shown.text, shown.replaced, typist)
        if not verdict.whole or len(shown.text.strip()) < WORTH:
            return None
        return Offer(shown.text, shown.replaced, self._offer.id if self._offer else "")

    def _press(self, path: str, typist: Typist, key: Key) -> None:
        closers = typist.closers
        edit = typist.press(key)
        self.noted.typed += 1
        if key.kind == "move":
            self._screen.hide()
        else:
            typed = _typed(key, edit, typist)
            change = len(typist.closers) - len(closers)
            self._screen.typed(typed, 0 if typed else 1, change)
        self._changed(path, edit, key.kind, ask=key.kind != "move")

    def _accept(self, path: str, edit: Edit, offer: Offer) -> None:
        self.noted.accepted += 1
        self.noted.saved += len(offer.text) - 1
        self._screen.hide()
        self._suggester.accepted(offer)
        self._changed(path, edit, "accept", ask=True)

    def _changed(self, path: str, edit: Edit, kind: str, *, ask: bool) -> None:
        text = self._texts[path]
        if edit.removed or edit.inserted:
            self._suggester.changed(Document(path, text), edit)
            end = edit.start + edit.removed
            text = self._texts[path] = text[: edit.start] + edit.inserted + text[end:]
        now = time.perf_counter()
        if self.noted.keys:
            self.noted.keys[-1].until = now - self._started
        typist = self._typist
        assert typist
        done = typist.done
        key = Keystroke(
            (self._task, done),
            (self._task, typist.text.count("\n", 0, done)),
            kind,
            now - self._started,
            expected=expects(typist),
            text=edit.inserted,
        )
        self.noted.keys.append(key)
        shown = self._screen.shown
        if shown and key.expected and judge(shown.text, shown.replaced, typist).right:
            key.held, key.right = True, 0.0
        if ask:
            self._ask(Document(path, text), typist.cursor, key)

    def _ask(self, document: Document, cursor: int, key: Keystroke) -> None:
        ongoing = self._cancel()
        self._asking = asyncio.create_task(self._suggest(document, cursor, key, ongoing=ongoing))

    def _cancel(self) -> bool:
        """Take the open question back; returns whether there was one."""
        asking, self._asking = self._asking, None
        if asking is None:
            return False
        if asking.done():
            asking.result()  # what went wrong in it ends the replay
            return False
        asking.cancel()
        return True

    async def _suggest(
        self, document: Document, cursor: int, key: Keystroke, *, ongoing: bool
    ) -> None:
        pressed = time.perf_counter()
        if ongoing:
            await asyncio.sleep(DEBOUNCE)
        request = Request(time.perf_counter(), key=pressed)
        self.noted.requests.append(request)
        offer = await self._suggester.suggest(document, cursor, request)
        now = time.perf_counter()
        text, replaced = (offer.text, offer.replaced) if offer else ("", 0)
        request.text = text
        typist = self._typist
        assert typist
        if offer:
            self._offer = offer
            self.noted.misplaced += offer.misplaced
        verdict = judge(text, replaced, typist)
        if self._screen.answered(text, replaced, now):
            request.shown = True
            place = (self._task, typist.done)
            self.noted.shown.append(
                Shown(
                    now - self._started,
                    place,
                    text,
                    verdict.right,
                    verdict.whole,
                    verdict.repeats,
                    document.path,
                    cursor,
                )
            )
        if verdict.right and key.right is None:
            key.right = now - self._started - key.at
        elif key.held and not verdict.right:
            key.held, key.right = False, None  # it was there, and was taken away again

    def _save(self, path: str, cursor: int) -> None:
        (self._root / path).write_text(self._texts[path], "utf-8", newline="\n")
        self._suggester.saved(Document(path, self._texts[path]), cursor)

    async def _settle(self) -> None:
        if self._asking is not None:
            with contextlib.suppress(TimeoutError, asyncio.CancelledError):
                async with asyncio.timeout(LAST):
                    await self._asking
        if self.noted.keys:
            self.noted.keys[-1].until = time.perf_counter() - self._started


def _typed(key: Key, edit: Edit, typist: Typist) -> str:
    """What a key put left of the cursor; empty if it took something away."""
    if key.kind in {"type", "wrong", "indent"}:
        return key.text
    if key.kind == "enter" and not edit.removed:
        return edit.inserted[: edit.cursor - edit.start]
    return ""
