"""The words of code that retrieval compares: identifiers, whole and in their parts. Pure."""

import re
from collections.abc import Iterator
from functools import lru_cache
from itertools import chain

IDENTIFIER = re.compile(r"[^\W\d]\w+")
_PARTS = re.compile(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+|[^\W\d_a-zA-Z]+")
_LEAST_PART = 3
_LONGEST = 60
"""Longer "identifiers" are data."""

KEYWORDS = frozenset(
    """
    abstract and any args array as assert async auto await base begin bool boolean break byte case
    catch chan char class cls const constexpr continue crate debugger declare def default defer del
    delete delegate dict do double elif else end enum err error except export extends extern false
    final finally float fmt fn for foreach from func function global go goto get if impl implements
    import in include init inline instanceof int interface internal into is isinstance iter kwargs
    lambda len let list long loop main map match mod module move mut name namespace native new next
    nil noexcept none nonlocal not null nullptr number object of operator option or override package
    param params pass print printf private property protected pub public raise range read readonly
    ref register rep require result ret return returns self set short signed size sizeof some static
    std str string struct super switch template test tests the this throw throws to true try tuple
    type typedef typeof typename undefined union unsafe unsigned use using value values var vec
    virtual void volatile where while with write yield
    """.split()  # noqa: SIM905 - a column of eighty quoted words would be no easier to read
)
"""What nearly every file has; it says nothing about what a file is about."""


def terms(text: str) -> Iterator[str]:
    """Lower-case search terms of a piece of code, in order, with repetitions.

    ``getUserName`` gives ``getusername``, ``get``, ``user`` and ``name``.
    """
    return chain.from_iterable(map(parts, IDENTIFIER.findall(text)))


@lru_cache(maxsize=32_768)
def parts(identifier: str) -> tuple[str, ...]:
    """An identifier's terms: itself, and its words where it has several."""
    if len(identifier) > _LONGEST:
        return ()
    whole = identifier.lower()
    found = [] if whole in KEYWORDS else [whole]
    if not (identifier.islower() and "_" not in identifier):
        words = [word.lower() for word in _PARTS.findall(identifier)]
        if len(words) > 1:
            found += [w for w in words if len(w) >= _LEAST_PART and w not in KEYWORDS]
    return tuple(found)
