"""Which suggestions an editor was given, by id; typing along one makes no other one of it."""

import uuid
from collections import OrderedDict
from dataclasses import dataclass, replace

from ..completion.query import Completion
from ..completion.reasons import Reason

KEPT = 20
LEAST_TAKEN = 2
"""Characters; a single one was typed."""


@dataclass(frozen=True, slots=True)
class _Offer:
    """``answer`` is as in ``completion.trace.Trace``; ``taken``: it was accepted."""

    uri: str
    text: str
    adapter: str | None
    answer: object = None
    taken: bool = False


class Offers:
    """The last suggestions of one session, accepted ones among them."""

    def __init__(self) -> None:
        self._offers: OrderedDict[str, _Offer] = OrderedDict()

    def identify(self, uri: str, completion: Completion) -> tuple[str, bool]:
        """The id of a suggestion, and whether it is a new one.

        What is left of a remembered answer, after somebody typed along it or took a word of it, is
        still that suggestion: it is shown, and accepted, once. So is one whose first lines were
        shown while the model wrote the others.
        """
        answer = completion.trace.answer if completion.trace else None
        offer = _Offer(uri, completion.text, completion.adapter, answer)
        for identifier, older in reversed(self._offers.items()):
            if older.taken or (older.uri, older.adapter) != (uri, completion.adapter):
                continue
            if completion.reason is Reason.CACHE and older.text.endswith(offer.text):
                return identifier, False
            if answer is not None and older.answer is answer:
                self._offers[identifier] = offer  # it has grown
                return identifier, False
        identifier = uuid.uuid4().hex
        self._offers[identifier] = offer
        if len(self._offers) > KEPT:
            self._offers.popitem(last=False)
        return identifier, True

    def hold(self, uri: str, text: str) -> bool:
        """Whether a text that was inserted at once is a suggestion, or a part of one."""
        if len(text) < LEAST_TAKEN or not text.strip():
            return False
        return any(offer.uri == uri and text in offer.text for offer in self._offers.values())

    def take(self, identifier: str) -> bool:
        """A suggestion was accepted whole; returns whether it is one of these, for the first time.

        It is kept: what is asked for next is asked behind an accepted suggestion.
        """
        offer = self._offers.get(identifier)
        if offer is None or offer.taken:
            return False
        self._offers[identifier] = replace(offer, taken=True)
        return True
