"""Shards: xz-compressed lines of JSON, one file of a source each; written here, read everywhere."""

import json
import lzma
from collections.abc import Iterable, Iterator
from pathlib import Path

import msgspec

from lsp_server.errors import SettingsError


class Record(msgspec.Struct, frozen=True):
    """One file of a named source, such as ``pypi:attrs==25.3.0``."""

    source: str
    path: str
    text: str

    @property
    def repository(self) -> str:
        """The name that its root folder would have."""
        _, _, name = self.source.partition(":")
        return name.partition("@")[0].partition("==")[0].rpartition("/")[2]


def write_shard(path: Path, records: Iterable[Record]) -> None:
    """Replace a shard in one step."""
    part = path.with_name(path.name + ".part")
    with lzma.open(part, "wt", preset=6, encoding="utf-8", newline="\n") as file:
        for record in records:
            file.write(json.dumps(msgspec.structs.asdict(record), ensure_ascii=False) + "\n")
    part.replace(path)


def read_shard(path: Path) -> list[Record]:
    """Raises SettingsError for a file that is no shard."""
    try:
        with lzma.open(path, "rb") as lines:
            return [msgspec.json.decode(line, type=Record) for line in lines]
    except (lzma.LZMAError, EOFError, ValueError) as error:
        raise SettingsError(
            f"{path} is no shard of a corpus ({error}); docs/corpus.md says how the corpus is made"
        ) from error


def read_shards(paths: Iterable[Path]) -> Iterator[Record]:
    """The records of several shards, one shard in memory at a time."""
    for path in paths:
        yield from read_shard(path)
