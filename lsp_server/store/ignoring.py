"""Which paths a .gitignore, or a list of globs of that kind, names; knows no disk.

pathspec translates each pattern. Its own matching of several patterns also lets one speak for
everything below the folder that it names, which is not what git does once a folder has been
entered (``*.log`` and ``!kept/`` ignore ``kept/a.log``); so the last pattern that names *this*
entry decides here.
"""

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from pathspec.patterns.gitignore.spec import GitIgnoreSpecPattern

_BELOW = "ps_d"  # the group that pathspec gives to the slash behind what a pattern names
_ANY_FOLDER = f"(?P<{_BELOW}>/)"  # of `*/`


@dataclass(frozen=True, slots=True)
class Patterns:
    """Patterns in their order; each as (names, or names not; its regular expression)."""

    entries: tuple[tuple[bool, re.Pattern[str]], ...]

    @classmethod
    def of(cls, lines: Iterable[str], *, strict: bool = False) -> "Patterns":
        """From the lines of a file; what is no pattern is left out, or ``ValueError`` raised."""
        entries = []
        for line in lines:
            try:
                pattern = GitIgnoreSpecPattern(line)
            except ValueError:
                if strict:
                    raise
                continue
            if pattern.include is not None and pattern.regex is not None:
                entries.append((pattern.include, pattern.regex))
        return cls(tuple(reversed(entries)))

    def verdict(self, path: str) -> bool | None:
        """Whether ``path`` (a folder's ends in ``/``) is named; None if nothing is said of it."""
        for named, regex in self.entries:
            if _names(regex, path):
                return named
        return None

    def names(self, path: str) -> bool:
        """Whether ``path`` or a folder around it is named, by the last pattern that says so."""
        return next((named for named, regex in self.entries if regex.search(path)), False)


def _names(regex: re.Pattern[str], path: str) -> bool:
    """Whether a pattern names this very entry, and not only a folder around it."""
    last = len(path) - 1
    if regex.pattern == _ANY_FOLDER:
        return path[last] == "/"
    match = regex.search(path)
    if match is None:
        return False
    if _BELOW not in regex.groupindex:  # `folder/**`: what is in it, not the folder
        return match.end() <= last
    return match.start(_BELOW) in {-1, last}


@dataclass(frozen=True, slots=True)
class Ignored:
    """The .gitignore files that hold in a folder, outermost first.

    ``levels`` has a prefix for each: what a path relative to the repository's root has to be led
    by (``outer``) or to lose (``base``) to become relative to that file's folder.
    """

    levels: tuple[tuple[str, str, Patterns], ...] = ()

    def within(self, base: str, lines: Sequence[str], *, outer: str = "") -> "Ignored":
        """With one more .gitignore, which lies in ``base`` ("" or ending in ``/``)."""
        patterns = Patterns.of(lines)
        return Ignored((*self.levels, (base, outer, patterns))) if patterns.entries else self

    def __call__(self, path: str) -> bool:
        """Whether git would leave ``path`` out, whose folder it has entered."""
        for base, outer, patterns in reversed(self.levels):
            verdict = patterns.verdict(outer + path[len(base) :])
            if verdict is not None:
                return verdict
        return False
