"""What a user notes on an adapter, beside its manifest, which never changes: pins and tags."""

import re
from pathlib import Path

import msgspec

from ...errors import AdapterError
from ..paths import replace_file

_FILE = "marks.json"
_TAG = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")
_TAKEN = {"none", "auto"}


class Marks(msgspec.Struct, frozen=True, kw_only=True):
    """``pinned``: retention never removes it. ``tags`` are names that it goes by."""

    pinned: bool = False
    tags: tuple[str, ...] = ()


def read_marks(folder: Path) -> Marks:
    """The marks of the adapter in a folder; none where they cannot be read."""
    try:
        return msgspec.json.decode((folder / _FILE).read_bytes(), type=Marks)
    except (OSError, msgspec.DecodeError):
        return Marks()


def write_marks(folder: Path, marks: Marks) -> None:
    """Raises ``OSError``."""
    replace_file(folder / _FILE, msgspec.json.encode(marks) + b"\n")


def check_tag(tag: str) -> None:
    """Raises AdapterError, which says what a tag may look like."""
    if _TAG.fullmatch(tag) is None or tag in _TAKEN:
        raise AdapterError(
            f"{tag!r} cannot be a tag: use up to 64 letters, digits, '.', '-' and '_', as in "
            "'release-1.2', and neither 'none' nor 'auto'"
        )
