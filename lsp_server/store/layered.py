"""An index, and over it what an editor has open and not saved: the newest text of every file.

The open texts that an index has otherwise lie in a small index of their own, in memory, made by the
very same code: windows, definitions, secrets, and the rules that say which files may be read. Their
files in the index below are hidden.

Whatever is typed in a document is taken in when another document asks, and not before: a document's
own file is no source for itself, so typing reads nothing anew, and leaves what is known as it is.
"""

import threading
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path

from ..errors import SettingsError
from ..prompt.passages import Passage
from ..prompt.snippets import Definition, Place
from .files import RepositoryFile, open_file
from .index import RepositoryIndex
from .rules import Rules
from .walking import Skipped, look_at

Texts = Callable[[], Mapping[str, str]]
"""The open documents of a folder: their texts, by path relative to it."""
MOST_CHARACTERS = 100_000
"""A larger document is known as it was saved: Python's parser would stop every other thread for
too long."""
MOST_DOCUMENTS = 16
"""That are open and not saved; of more, the last by their paths are known as they were saved."""


@dataclass(frozen=True, slots=True)
class _Open:
    """A document as it was when it was looked at last."""

    text: str
    data: bytes
    sha256: str

    @classmethod
    def of(cls, text: str) -> "_Open":
        data = text.encode("utf-8", "replace")
        return cls(text, data, sha256(data).hexdigest())


class LayeredIndex:
    """A :class:`lsp_server.prompt.snippets.SnippetSource` over an index and over open documents.

    ``root`` is the folder of both. Threads may share it; reading never raises.
    """

    def __init__(self, root: Path, below: RepositoryIndex, texts: Texts) -> None:
        self._root, self._below, self._texts = root, below, texts
        self._above = RepositoryIndex.of_files(())
        self._open: dict[str, _Open] = {}
        self._taken: dict[str, str] = {}
        """sha256 of the texts that are in the layer, by path."""
        self._hidden: frozenset[str] = frozenset()
        self._lock = threading.Lock()
        self._changes, self._seen = 0, -1

    def close(self) -> None:
        """Give the file below back; the next question opens it again."""
        self._below.close()

    def version(self, exclude: str) -> int:
        """Another number whenever something else may be known.

        Takes in what has become of the open documents since, but for the one that asks.
        """
        with self._lock:
            version = self._below.version()
            texts = self._readable()
            news, closed = self._news(texts, exclude)
            if news or closed or version != self._seen:
                for path in closed:
                    del self._open[path]
                self._open.update((path, _Open.of(texts[path])) for path in news)
                self._follow()
                self._seen = version
            return version + self._changes

    def current(self, exclude: str) -> int | None:
        """The same where it can be told at once; None where documents have to be read for it, which
        is for a thread.
        """
        if not self._lock.acquire(blocking=False):
            return None
        try:
            version = self._below.version()
            is_known = version == self._seen and not any(self._news(self._readable(), exclude))
            return version + self._changes if is_known else None
        finally:
            self._lock.release()

    def places(self, names: Collection[str], exclude: str) -> Sequence[Place]:
        """Where names are defined, sorted by name, path and line."""
        below = self._below.places(names, exclude, hidden=self._hidden)
        if not self._taken:
            return below
        both = (*below, *self._above.places(names, exclude))
        return sorted(both, key=lambda place: (place.name, place.path, place.first))

    def definition(self, place: Place) -> Definition | None:
        """A definition's text; None if it is not there any more."""
        index = self._above if place.path in self._hidden else self._below
        return index.definition(place)

    def search(self, terms: Sequence[str], exclude: str, limit: int) -> Sequence[Passage]:
        """The best windows of the index, and those of the open documents.

        What a term tells in a handful of documents is no measure, so the two are not compared here:
        whoever weighs them does so by :meth:`rarity`, which is the whole repository's.
        """
        below = self._below.search(terms, exclude, limit, hidden=self._hidden)
        above = self._above.search(terms, exclude, limit) if self._taken else ()
        return [*above, *below]

    def rarity(self, terms: Collection[str]) -> Mapping[str, float]:
        """How much each term tells, as the index has it."""
        return self._below.rarity(terms)

    def _readable(self) -> dict[str, str]:
        return {p: text for p, text in self._texts().items() if len(text) <= MOST_CHARACTERS}

    def _news(self, texts: Mapping[str, str], exclude: str) -> tuple[list[str], set[str]]:
        """Which documents read otherwise than when they were looked at, and which are closed."""
        news = [path for path in texts if path != exclude and self._is_new(path, texts[path])]
        return news, self._open.keys() - texts.keys()

    def _is_new(self, path: str, text: str) -> bool:
        known = self._open.get(path)
        return known is None or known.text is not text

    def _follow(self) -> None:
        """Have the layer hold the open documents that the index below has otherwise."""
        saved = self._below.hashes(self._open)
        differing = sorted(p for p, one in self._open.items() if saved.get(p) != one.sha256)
        hidden = frozenset(differing[:MOST_DOCUMENTS])
        rules = self._rules()
        wanted = {path: self._admitted(path, rules) for path in hidden}
        changed = hidden != self._hidden
        for path in sorted(self._taken.keys() | wanted.keys()):
            file = wanted.get(path)
            if self._taken.get(path) == (file.sha256 if file else None):
                continue
            changed = True
            if file is None:
                self._above.remove(path)
                del self._taken[path]
            else:
                self._above.replace_file(file)
                self._taken[path] = file.sha256
        self._hidden = hidden
        self._changes += changed

    def _rules(self) -> Rules | None:
        try:
            return Rules.of(self._root)
        except SettingsError:  # whoever refreshes the index says so
            return None

    def _admitted(self, path: str, rules: Rules | None) -> RepositoryFile | None:
        """An open document as a file of the repository; None if it may not be one."""
        if rules is None:
            return None
        found = look_at(self._root, rules, path)
        if isinstance(found, Skipped):
            return None
        file = open_file(found, self._open[path].data, rules)
        return None if isinstance(file, Skipped) else file
