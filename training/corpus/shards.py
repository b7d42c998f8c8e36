"""Shards: xz-compressed lines of JSON, one file of a source each."""

import dataclasses
import json
import lzma
from collections.abc import Iterable, Iterator
from pathlib import Path


@dataclasses.dataclass(frozen=True)
class Record:
    source: str
    path: str
    text: str


def write_shard(path: Path, records: Iterable[Record]) -> None:
    part = path.with_name(path.name + ".part")
    with lzma.open(part, "wt", preset=6, encoding="utf-8", newline="\n") as file:
        for record in records:
            file.write(json.dumps(dataclasses.asdict(record), ensure_ascii=False) + "\n")
    part.replace(path)


def read_shards(paths: Iterable[Path]) -> Iterator[Record]:
    for path in paths:
        with lzma.open(path, "rt", encoding="utf-8", newline="\n") as file:
            for line in file:
                yield Record(**json.loads(line))
