"""An outline as bytes: how it travels between processes and lies in the cache."""

import zlib
from dataclasses import replace

import msgspec

from .outline import Outline, Unparsed, parse

FORMAT = 1
"""Raised whenever an outline of the same text comes out differently."""


def parsed(text: str, language: str) -> bytes:
    """The outline of a text without the text, or why there is none."""
    try:
        found: Outline | str = replace(parse(text, language), text="")
    except Unparsed as reason:
        found = str(reason)
    return refused(found) if isinstance(found, str) else _packed(found)


def refused(reason: str) -> bytes:
    """That there is no outline."""
    return _packed(reason)


def restored(stored: bytes, text: str) -> Outline | str:
    """What :func:`parsed` found. Raises ValueError if the bytes are damaged."""
    try:
        found: Outline | str = msgspec.msgpack.decode(zlib.decompress(stored), type=Outline | str)
    except (zlib.error, msgspec.DecodeError) as error:
        raise ValueError(f"no outline: {error}") from error
    return found if isinstance(found, str) else replace(found, text=text)


def _packed(found: Outline | str) -> bytes:
    return zlib.compress(msgspec.msgpack.encode(found), 1)
