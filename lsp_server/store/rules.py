"""A team's ``tenon.toml``: its tables, and what it says about the files that Tenon may read."""

import tomllib
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

import msgspec

from ..errors import SettingsError
from .ignoring import Patterns

FILE_NAME = "tenon.toml"
MAX_FILE_BYTES = 1_000_000
MAX_RULES_BYTES = 100_000


@dataclass(frozen=True, slots=True)
class Rules:
    """The table ``[files]``: globs as in a .gitignore, relative to the repository's root.

    ``include`` takes files in that Tenon leaves out by its own judgement (text that is no code,
    generated and vendored files); ``exclude`` leaves files out and has the last word. Neither
    brings back what .gitignore names. Files of more than ``max_file_bytes`` bytes are never read.
    """

    include: tuple[str, ...] = ()
    exclude: tuple[str, ...] = ()
    max_file_bytes: int = MAX_FILE_BYTES

    @classmethod
    def of(cls, root: Path) -> "Rules":
        """The rules of the repository at ``root``; the defaults if it has no ``tenon.toml``.

        Raises ``SettingsError``, which names the field, for a file that cannot be used.
        """
        data = _read(root / FILE_NAME)
        return cls() if data is None else cls.parse(data, root / FILE_NAME)

    @classmethod
    def parse(cls, data: bytes, path: Path) -> "Rules":
        """The rules in a file's bytes; ``path`` is for messages. Raises ``SettingsError``."""
        try:
            found = msgspec.convert(_tables(data, path).get("files", {}), _Files)
        except msgspec.ValidationError as error:
            raise SettingsError(f"{path}: {named(str(error), 'files')}") from error
        for field in ("include", "exclude"):
            for glob in getattr(found, field):
                try:
                    Patterns.of([glob], strict=True)
                except ValueError as error:
                    raise SettingsError(f"{path}: `files.{field}`: {glob!r} is no glob") from error
        return cls(tuple(found.include), tuple(found.exclude), found.max_file_bytes)


class _Files(msgspec.Struct, forbid_unknown_fields=True):
    include: list[str] = []
    exclude: list[str] = []
    max_file_bytes: Annotated[int, msgspec.Meta(ge=1, le=1_000_000_000)] = MAX_FILE_BYTES


def read_table(root: Path, name: str) -> Any:
    """What a repository's ``tenon.toml`` holds under a name; an empty table if it says nothing.

    Raises ``SettingsError`` for a file that cannot be used.
    """
    data = _read(root / FILE_NAME)
    return {} if data is None else _tables(data, root / FILE_NAME).get(name, {})


def _read(path: Path) -> bytes | None:
    """The file's bytes; None if there is none."""
    try:
        with path.open("rb") as file:
            data = file.read(MAX_RULES_BYTES + 1)
    except FileNotFoundError:
        return None
    except OSError as error:
        raise SettingsError(
            f"{path} cannot be read ({error.strerror}); make it readable, or remove it"
        ) from error
    if len(data) > MAX_RULES_BYTES:
        raise SettingsError(f"{path} has more than {MAX_RULES_BYTES} bytes; shorten it")
    return data


def _tables(data: bytes, path: Path) -> dict[str, Any]:
    try:
        return tomllib.loads(data.decode("utf-8"))
    except ValueError as error:  # bad UTF-8 and bad TOML are both
        raise SettingsError(f"{path} is no TOML: {error}") from error


def named(message: str, table: str) -> str:
    """Of msgspec's ``Expected `int`, got `str` - at `$.include[0]```, the field first, with the
    ``table`` that it is in.
    """
    what, found, where = message.partition(" - at `$.")
    if found:
        return f"`{table}.{where.rstrip('`')}`: {what[:1].lower()}{what[1:]}"
    return f"`{table}`: {what[:1].lower()}{what[1:]}"
