"""From the manifest to shards: `python -P -m training.corpus.build MANIFEST OUT --help`."""

import argparse
import collections
import dataclasses
import functools
import hashlib
import json
import multiprocessing
import sys
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

import numpy as np
import numpy.typing as npt

from .duplicates import Duplicates
from .evaluation import read_evaluation
from .filters import is_test, refused_header, refused_path, refused_text, tidy
from .manifest import GROUPS, Source, read_manifest, write_manifest
from .ngrams import signature, tokens
from .overlap import Detector, Overlap, idioms, repeats_repository
from .shards import Record, read_shards, write_shard
from .sources import download, python_files, wheels

SOURCE_BYTES = {"1": 3_000_000, "2": 1_000_000, "3": 3_000_000, "heldout": 1_000_000}
"""The most that one source may give: a corpus of many hands, not of three large projects."""
TEST_SHARE = 0.2
SHARD_BYTES = 60_000_000
"""Text a shard; 10 to 11 MB compressed."""


@dataclasses.dataclass(frozen=True)
class Candidate:
    """A file that passed its own source's rules."""

    record: Record
    signature: npt.NDArray[np.uint32]
    overlap: Overlap


@dataclasses.dataclass(frozen=True)
class Inputs:
    """What reading a source needs besides its row."""

    wheels: dict[str, Path]
    repositories: Path
    detector: Detector


def candidates(source: Source, inputs: Inputs) -> tuple[list[Candidate], collections.Counter[str]]:
    """The files of a source that pass the filters and fit its share, and why the others do not."""
    wheel = inputs.wheels.get(source.sha256)
    files = sorted(python_files(source, wheel, inputs.repositories), key=_draw)
    code = [file for file in files if not is_test(file[0])]
    tests = [file for file in files if is_test(file[0])]
    removed = collections.Counter({"files read": len(files)})
    kept = _first(source, code, SOURCE_BYTES[source.group], removed)
    share = sum(len(record.text) for record in kept) * TEST_SHARE / (1 - TEST_SHARE)
    kept += _first(source, tests, int(share), removed)
    kept.sort(key=lambda record: record.path)
    return [
        Candidate(record, signature(tokens(record.text)), inputs.detector.look(record.text))
        for record in kept
    ], removed


def _first(
    source: Source,
    files: Sequence[tuple[str, bytes]],
    budget: int,
    removed: collections.Counter[str],
) -> list[Record]:
    """The files that pass, until the budget is full: none of the rest is even looked at."""
    chosen: list[Record] = []
    for number, (path, content) in enumerate(files):
        text, reason = _accept(path, content)
        if reason:
            removed[reason] += 1
            continue
        budget -= len(text)
        if budget < 0:
            removed["over its source's share"] += len(files) - number
            break
        chosen.append(Record(source.name, path, text))
    return chosen


def _accept(path: str, content: bytes) -> tuple[str, str | None]:
    if reason := refused_path(path):
        return "", reason
    try:
        raw = content.decode("utf-8")
    except UnicodeDecodeError:
        return "", "not UTF-8"
    text = tidy(raw)
    return text, refused_header(raw) or refused_text(text)


def _draw(file: tuple[str, bytes]) -> bytes:
    """A random order that is the same everywhere, so that a share is a sample."""
    return hashlib.sha256(file[0].encode()).digest()


def without_repeats(
    found: Sequence[Candidate], seen: Duplicates, removed: collections.Counter[str]
) -> Iterator[Record]:
    """What is neither part of an evaluation set nor seen before; the rest is counted."""
    exempt = idioms((one.record.source, one.overlap.runs) for one in found)
    for one in found:
        reason = one.overlap.reason
        if reason is None and repeats_repository(one.overlap, exempt):
            reason = "repeats an evaluation repository"
        if reason is None:
            reason = seen.reason(one.record.text, one.signature)
        if reason is None:
            yield one.record
        else:
            removed[reason] += 1


def shards(records: Sequence[Record]) -> Iterator[list[Record]]:
    """Runs of records of about a shard's size, whole sources together where they fit."""
    shard: list[Record] = []
    size = 0
    for record in records:
        if size > SHARD_BYTES:
            yield shard
            shard, size = [], 0
        shard.append(record)
        size += len(record.text)
    if shard:
        yield shard


def main(arguments: Sequence[str]) -> int:
    parser = argparse.ArgumentParser(prog="training.corpus.build", description=__doc__)
    parser.add_argument("manifest", type=Path, help="read, and written anew with what was kept")
    parser.add_argument("out", type=Path, help="folder for the shards")
    parser.add_argument("--against", type=Path, required=True, help="folder of evaluation sets")
    parser.add_argument("--downloads", type=Path, required=True, help="folder for the wheels")
    parser.add_argument("--repositories", type=Path, required=True, help="git folders OWNER+NAME")
    parser.add_argument("--groups", nargs="+", choices=GROUPS, default=list(GROUPS))
    parser.add_argument(
        "--after", nargs="*", type=Path, default=[], help="earlier groups' shards: built already"
    )
    parser.add_argument("--processes", type=int, default=2)
    options = parser.parse_args(arguments)
    manifest = read_manifest(options.manifest)
    sources = [row for row in manifest if row.group in options.groups]
    download(sources, options.downloads)
    inputs = Inputs(
        wheels(options.downloads), options.repositories, Detector(read_evaluation(options.against))
    )
    options.out.mkdir(parents=True, exist_ok=True)
    seen = Duplicates()
    for record in read_shards(options.after):
        seen.reason(record.text, signature(tokens(record.text)))
    rows = [row for row in manifest if row.group not in options.groups]
    report: dict[str, dict[str, int]] = {}
    with multiprocessing.Pool(options.processes) as pool:
        for group in options.groups:
            members = [row for row in sources if row.group == group]
            removed: collections.Counter[str] = collections.Counter()
            found: list[Candidate] = []
            work = functools.partial(candidates, inputs=inputs)
            for batch, counts in pool.imap(work, members, 8):
                found += batch
                removed += counts
            records = list(without_repeats(found, seen, removed))
            rows += _counted(members, records)
            report[group] = {**removed, "files kept": len(records), "bytes kept": _size(records)}
            names = f"group{group}" if group.isdigit() else group
            for left in options.out.glob(f"{names}-*.jsonl.xz"):
                left.unlink()  # an earlier, larger build's would be read as part of this one
            parts = [
                (options.out / f"{names}-{number:02}.jsonl.xz", shard)
                for number, shard in enumerate(shards(records))
            ]
            pool.starmap(write_shard, parts, chunksize=1)
    rows.sort(key=lambda row: GROUPS.index(row.group))
    write_manifest(options.manifest, rows)
    for group, figures in report.items():
        file = options.out / f"report-{group}.json"
        file.write_text(json.dumps(figures, indent=1) + "\n", encoding="utf-8")
    return 0


def _size(records: Iterable[Record]) -> int:
    return sum(len(record.text.encode()) for record in records)


def _counted(sources: Iterable[Source], records: Iterable[Record]) -> list[Source]:
    """The rows with what was kept of each; a source that gave nothing is left out."""
    kept: dict[str, list[Record]] = collections.defaultdict(list)
    for record in records:
        kept[record.source].append(record)
    return [
        dataclasses.replace(source, files=len(kept[source.name]), size=_size(kept[source.name]))
        for source in sources
        if source.name in kept
    ]


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
