"""Answers that outlive their keystroke: typing along an answer asks nobody again. Pure."""

from collections.abc import Hashable
from dataclasses import dataclass

from cachetools import LRUCache

from .extent import Extent

TAIL = 64
"""Characters before the cursor that are compared besides the hash of all of them."""
ANSWERS_PER_PLACE = 8


@dataclass(frozen=True, slots=True)
class _Answer:
    """``length``, ``digest`` and ``tail`` stand for the text before the cursor."""

    length: int
    digest: int
    tail: str
    text: str
    replace: int
    extent: Extent


@dataclass(frozen=True, slots=True)
class Place:
    """What an answer depends on besides the text before the cursor.

    ``model`` and ``adapter`` are part of it: another adapter's answer is another answer.
    """

    uri: str
    model: str
    adapter: str | None
    after: str

    def key(self) -> Hashable:
        return (self.uri, self.model, self.adapter, len(self.after), hash(self.after))


@dataclass(frozen=True, slots=True)
class Remembered:
    """What is left of an earlier answer; ``replace`` as in ``postprocess.Outcome``.

    ``text`` is empty where the model had nothing to say.
    """

    text: str
    replace: int


class TypeThroughCache:
    """The answers of the last places, found again while the user types along them.

    An answer given at an earlier cursor serves if what was typed since is how it begins.
    """

    def __init__(self, places: int = 256) -> None:
        self._places: LRUCache[Hashable, list[_Answer]] = LRUCache(maxsize=places)

    def add(self, place: Place, before: str, remembered: Remembered, extent: Extent) -> None:
        """Keep an answer that was given with ``before`` left of the cursor."""
        answer = _Answer(
            length=len(before),
            digest=hash(before),
            tail=before[-TAIL:],
            text=remembered.text,
            replace=remembered.replace,
            extent=extent,
        )
        older = self._places.get(place.key(), [])
        self._places[place.key()] = [answer, *older][:ANSWERS_PER_PLACE]

    def find(self, place: Place, before: str, extent: Extent | None = None) -> Remembered | None:
        """What is left of the newest answer that fits, or None.

        With ``extent``, only an answer that was asked to go that far counts.
        """
        for answer in self._places.get(place.key(), ()):
            if extent is not None and answer.extent is not extent:
                continue
            if answer.length > len(before) or not before.startswith(
                answer.tail, answer.length - len(answer.tail)
            ):
                continue
            typed = before[answer.length :]
            left = answer.text[len(typed) :]
            if not answer.text.startswith(typed) or (typed and not left.strip()):
                continue
            if hash(before[: answer.length]) == answer.digest:
                return Remembered(left, answer.replace)
        return None

    def clear(self) -> None:
        """Forget everything, as when a setting changes what answers look like."""
        self._places.clear()
