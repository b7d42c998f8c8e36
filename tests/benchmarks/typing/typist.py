"""Who types: keys, one at a time, as an editor for Python turns them into edits. Pure.

The editor's own help is part of what a completion meets: it closes brackets and quotes, and indents
after Enter. So what stands right of the cursor is not always what stood there before.
"""

from collections import deque
from dataclasses import dataclass, field

from . import rhythm
from .traces import Task

INDENT = 4
PAIRS = {"(": ")", "[": "]", "{": "}", '"': '"', "'": "'"}
_CLOSES_BEFORE = frozenset(" \t\n)]}")
"""VS Code closes a bracket only where one of these, or nothing, stands right of the cursor."""


def indent_of(text: str) -> int:
    """Spaces of one level in a file: the least indentation that any line has."""
    levels = [len(line) - len(line.lstrip(" ")) for line in text.split("\n") if line.strip()]
    return min((level for level in levels if level > 1), default=INDENT)


@dataclass(frozen=True, slots=True)
class Edit:
    """``removed`` characters at ``start`` of the document give way to ``inserted``."""

    start: int
    removed: int
    inserted: str
    cursor: int


@dataclass(frozen=True, slots=True)
class Key:
    """One key: ``kind`` is type, wrong, backspace, undo, enter, indent, move or delete.

    ``gap``: milliseconds after the key before. ``text`` is what it types.
    """

    kind: str
    gap: float
    text: str = ""


@dataclass(slots=True)
class Typist:
    """Types one task into a document; ``right`` is what stands right of the place.

    ``done`` characters of the text are there, then ``stray`` ones that do not belong there, then
    the cursor, then ``closers``, which the editor put there.
    """

    task: Task
    start: int
    right: str
    indent: int = INDENT
    done: int = 0
    stray: str = ""
    closers: str = ""
    line_before: str = ""
    """What stands left of the place on its own line."""
    _queue: deque[Key] = field(default_factory=deque)
    _mistaken: set[int] = field(default_factory=set)
    _hasty: deque[float] = field(default_factory=deque)

    @property
    def text(self) -> str:
        return self.task.text

    @property
    def future(self) -> str:
        """What is still to be typed."""
        return self.text[self.done :]

    @property
    def left(self) -> str:
        """The task's own text left of the cursor, as it is."""
        return self.text[: self.done] + self.stray

    @property
    def cursor(self) -> int:
        return self.start + len(self.left)

    @property
    def is_clean(self) -> bool:
        """Whether all that stands there is right, so that a suggestion may be."""
        return not self.stray and not self._queue

    @property
    def takes(self) -> bool:
        """Whether a right suggestion is accepted here."""
        return self.done < len(self.text) and self.task.strokes[self.done].takes

    def next_key(self) -> Key | None:
        """The next key; None once everything stands there."""
        if self._queue:
            return self._queue.popleft()
        if self.stray and self.text[self.done : self.done + 1] != "\n":
            # Too much indentation. One Backspace takes a level.
            return Key("backspace", rhythm.BACKSPACE, self.stray)
        if self.done == len(self.text):
            return Key("delete", rhythm.BACKSPACE) if self.closers or self.stray else None
        stroke = self.task.strokes[self.done]
        if self.done not in self._mistaken:
            if stroke.undo and self._plain(stroke.undo):
                self._mistaken.add(self.done)
                self._hasty = deque(stroke.again)
                return Key("undo", stroke.gap, self.text[self.done - stroke.undo : self.done])
            if stroke.slip:
                self._mistaken.add(self.done)
                return self._slip(stroke.gap, stroke.slip.typed, stroke.slip.gaps)
        wait = self._hasty.popleft() if self._hasty else stroke.gap
        return self._right_key(wait)

    def unread(self, key: Key) -> None:
        """The key was not pressed after all, for a suggestion took its place."""
        if key.kind == "undo":
            self._hasty.clear()

    def press(self, key: Key) -> Edit:
        """Press it: the edit that the document goes through."""
        left, closers = self.left, self.closers
        getattr(self, f"_on_{key.kind}")(key)
        return self._edit(left, closers)

    def accept(self, text: str, replaced: int) -> Edit:
        """Take a suggestion that is right from its first character to its last."""
        if not self.is_clean or not self.future.startswith(text):
            raise ValueError("only text that would be typed can be accepted")
        left, closers = self.left, self.closers
        self.done += len(text)
        self.closers = self.closers[replaced:]
        self._hasty.clear()
        return self._edit(left, closers)

    def _edit(self, left: str, closers: str) -> Edit:
        before, after = left + closers, self.left + self.closers
        same = 0
        while same < min(len(before), len(after)) and before[same] == after[same]:
            same += 1
        same = min(same, len(left), len(self.left))
        tail = 0
        while tail < min(len(before), len(after)) - same and before[-1 - tail] == after[-1 - tail]:
            tail += 1
        return Edit(
            self.start + same,
            len(before) - same - tail,
            after[same : len(after) - tail],
            self.cursor,
        )

    def _plain(self, count: int) -> bool:
        return self.done >= count and not self.stray

    def _slip(self, wait: float, typed: str, gaps: tuple[float, ...]) -> Key:
        later = [Key("wrong", gaps[at], typed[at]) for at in range(1, len(typed))]
        later += [Key("backspace", gap, "x") for gap in gaps[len(typed) :]]
        self._queue.extend(later)
        return Key("wrong", wait, typed[0])

    def _right_key(self, wait: float) -> Key:
        future = self.future
        if self.closers.startswith("\n") and future.startswith(self.closers):
            return Key("move", wait, self.closers)
        if self.closers.startswith("\n") and future[0] == self.closers.lstrip()[:1]:
            return Key("delete", wait)
        if future[0] == "\n":
            return Key("enter", wait)
        line = self.left.rpartition("\n")[2]
        if future[0] == " " and "\n" in self.left and not line.strip():
            missing = len(future) - len(future.lstrip(" "))
            return Key("indent", wait, " " * min(missing, self.indent - len(line) % self.indent))
        return Key("type", wait, future[0])

    def _on_type(self, key: Key) -> None:
        character = key.text
        self.done += 1
        if self.closers.startswith(character):
            self.closers = self.closers[1:]
        elif character in PAIRS and self._is_closed(character):
            self.closers = PAIRS[character] + self.closers

    def _is_closed(self, character: str) -> bool:
        """Whether the editor adds the other half."""
        here = (self.closers + self.right)[:1]
        if here and here not in _CLOSES_BEFORE:
            return False
        if PAIRS[character] != character:
            return True
        before = self.text[self.done - 2 : self.done - 1]
        prefix = (
            before in {"f", "r", "b"} and not self.text[self.done - 3 : self.done - 2].isalnum()
        )
        return (not before.isalnum() or prefix) and before not in {character, "_", "\\"}

    def _on_wrong(self, key: Key) -> None:
        self.stray += key.text

    def _on_backspace(self, key: Key) -> None:
        if self.stray.isspace():
            line = self.left.rpartition("\n")[2]
            levels = (len(line) - 1) % self.indent + 1
            self.stray = self.stray[: -min(levels, len(self.stray))]
        else:
            self.stray = self.stray[:-1]

    def _on_undo(self, key: Key) -> None:
        self.done -= len(key.text)

    def _on_indent(self, key: Key) -> None:
        self.done += len(key.text)

    def _on_move(self, key: Key) -> None:
        self.done += len(self.closers)
        self.closers = ""

    def _on_delete(self, key: Key) -> None:
        if self.done == len(self.text):
            self.closers = self.stray = ""
        else:
            self.closers = self.closers.lstrip()

    def _on_enter(self, key: Key) -> None:
        line = self.left.rpartition("\n")[2] if "\n" in self.left else self._first_line()
        level = len(line) - len(line.lstrip(" "))
        code = line.strip()
        opened = self.closers[:1] in {")", "]", "}"} and code[-1:] in {"(", "[", "{"}
        if opened:
            self.closers = "\n" + " " * level + self.closers
        if code.endswith((":", "(", "[", "{")):
            level += self.indent
        self.stray = ""  # an editor removes what it had indented an empty line with
        self.done += 1
        wanted = len(self.future) - len(self.future.lstrip(" "))
        self.done += min(level, wanted)
        self.stray = " " * max(0, level - wanted)

    def _first_line(self) -> str:
        return self.line_before + self.left
