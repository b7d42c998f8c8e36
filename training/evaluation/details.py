"""What each example gave, as JSON lines that a later run of the same kind goes on from."""

from collections.abc import Mapping
from pathlib import Path
from typing import IO, Any, Self

import msgspec

from lsp_server.errors import SettingsError

from .metrics import Result, edit_similarity, exact, exact_first_line

BEGINNING = b'{"run":'
"""Of every details file."""


class DetailsFile:
    """An open details file: its first line says which run it is of, each other is a result.

    A result is written whole as soon as it is there, so that a run that is killed loses nothing
    else than the example it was at.
    """

    def __init__(self, path: Path, run: Mapping[str, Any]) -> None:
        """Open or create; raises ``SettingsError`` for a file of another run, or of none."""
        self.path = path
        self.results: list[Result] = []
        """What was already there."""
        complete = self._read(dict(run)) if path.exists() else 0
        self._file: IO[bytes] = path.open("r+b" if complete else "wb")
        if complete:
            self._file.truncate(complete)
            self._file.seek(complete)
        else:
            self._write({"run": run})

    def add(self, result: Result) -> None:
        """Append a result, with the figures that paired tests need."""
        texts = [answer.text for answer in result.answers]
        self._write(
            msgspec.to_builtins(result)
            | {
                "exact_match": [exact_first_line(text, result.middle) for text in texts],
                "exact_match_untruncated": [exact(text, result.middle) for text in texts],
                "edit_similarity": [edit_similarity(text, result.middle) for text in texts],
            }
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_exception: object) -> None:
        self._file.close()

    def _write(self, row: Mapping[str, Any]) -> None:
        self._file.write(msgspec.json.encode(row) + b"\n")
        self._file.flush()

    def _read(self, run: dict[str, Any]) -> int:
        """Take over what a former run left; returns the length of its whole lines."""
        data = self.path.read_bytes()
        if b"\n" not in data and not BEGINNING.startswith(data[: len(BEGINNING)]):
            raise self._other("it does not begin as they do")
        data = data[: data.rfind(b"\n") + 1]
        if not data:  # killed within its first line
            return 0
        first, *others = data.splitlines()
        try:
            former = msgspec.json.decode(first)["run"]
            self.results = [msgspec.json.decode(line, type=Result) for line in others]
        except (msgspec.MsgspecError, KeyError, TypeError) as error:
            raise self._other(error) from error
        run = msgspec.json.decode(msgspec.json.encode(run))
        changed = sorted(
            name for name in former.keys() | run.keys() if former.get(name) != run.get(name)
        )
        if changed:
            what = ", ".join(f"{name} {former.get(name)!r}" for name in changed)
            raise SettingsError(
                f"{self.path} is of another run ({what}); give another --details, or remove it"
            )
        return len(data)

    def _other(self, reason: object) -> SettingsError:
        return SettingsError(
            f"{self.path} holds no details of an evaluation ({reason}); give another --details"
        )
