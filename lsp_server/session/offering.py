"""Which suggestions an editor was given, by id; typing along one makes no other one of it."""

import uuid
from collections import OrderedDict
from dataclasses import dataclass

from ..completion.query import Completion
from ..completion.reasons import Reason

KEPT = 20
LEAST_TAKEN = 2
"""Characters; a single one was typed."""


@dataclass(frozen=True, slots=True)
class _Offer:
    uri: str
    text: str
    adapter: str | None


class Offers:
    """The last suggestions of one session that were not accepted yet."""

    def __init__(self) -> None:
        self._offers: OrderedDict[str, _Offer] = OrderedDict()

    def identify(self, uri: str, completion: Completion) -> tuple[str, bool]:
        """The id of a suggestion, and whether it is a new one.

        What is left of a remembered answer, after somebody typed along it or took a word of it, is
        still that suggestion: it is shown, and accepted, once.
        """
        offer = _Offer(uri, completion.text, completion.adapter)
        if completion.reason is Reason.CACHE:
            for identifier, older in reversed(self._offers.items()):
                if _continues(offer, older):
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
        """A suggestion was accepted whole; returns whether it is one of these."""
        return self._offers.pop(identifier, None) is not None


def _continues(offer: _Offer, older: _Offer) -> bool:
    same = (offer.uri, offer.adapter) == (older.uri, older.adapter)
    return same and older.text.endswith(offer.text)
