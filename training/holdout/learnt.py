"""Which lines an adapter has been trained on, so that it is never asked for them as if it had not.

A run that starts from the adapter that serves inherits what that one has read. Its hold-out must
hold none of it, or the gate would take memory for skill; nor may that of a run from scratch, whose
candidate has to beat the one that serves. What was read is remembered line by line, as
:mod:`training.holdout.added` compares them, in numbers that are the same in every process.
"""

from collections.abc import Iterable
from dataclasses import replace
from hashlib import blake2b
from pathlib import Path
from typing import IO

import numpy as np
import numpy.typing as npt

from lsp_server.store.files import RepositoryFile

from .added import LEAST, Hashes, code_lines, line_hashes, plain, ranges_of, telling, within
from .holdout import HoldOut, spans_of

_SAYS_NOTHING = 0
"""In place of the number of a line that is too short to be told from others."""


def learnt_lines(files: Iterable[RepositoryFile], before: Hashes | None = None) -> Hashes:
    """Sorted numbers of the lines of ``files``, with those that were learnt ``before``."""
    parts = [np.unique(_numbers(file.text)) for file in files]
    if before is not None:
        parts.append(before)
    return np.unique(np.concatenate(parts)) if parts else np.empty(0, np.int64)


def without_learnt(holdout: HoldOut, learnt: Hashes) -> HoldOut:
    """The same hold-out less every line that was learnt, short ones with those around them."""
    new = {}
    lines = 0
    for path, spans in holdout.new.items():
        text = holdout.files[path].text
        hashes = line_hashes(text)
        fresh = np.zeros(len(hashes), np.bool_)
        for start, end in spans:
            fresh[text.count("\n", 0, start) : text.count("\n", 0, end) + 1] = True
        left = ranges_of(hashes, fresh & telling(hashes) & ~within(_numbers(text), learnt))
        if left:
            new[path] = spans_of(text, left)
            lines += code_lines(hashes, left)
    return replace(
        holdout,
        new=new,
        lines=lines,
        unseen=frozenset(path for path in holdout.unseen if path in new),
    )


def fresh_share(text: str, learnt: Hashes) -> float:
    """Which part of a text's lines were not learnt, 0 … 1; lines that say nothing do not count."""
    numbers = _numbers(text)
    numbers = numbers[numbers != _SAYS_NOTHING]
    return float(np.mean(~within(numbers, learnt))) if len(numbers) else 0.0


def save_learnt(path: Path, learnt: Hashes) -> None:
    """Raises ``OSError``."""
    file: IO[bytes]
    with path.open("wb") as file:
        np.save(file, learnt, allow_pickle=False)


def load_learnt(path: Path) -> Hashes | None:
    """None where nothing was written down, or it cannot be read."""
    try:
        found: npt.NDArray[np.int64] = np.load(path, allow_pickle=False)
    except (OSError, ValueError, EOFError):
        return None
    return found if found.dtype == np.int64 and found.ndim == 1 else None


def _numbers(text: str) -> Hashes:
    """One number a line; unlike Python's own hashes, the same in every process."""
    numbers = np.empty(text.count("\n") + 1, np.int64)
    for place, line in enumerate(text.split("\n")):
        bare = plain(line)
        numbers[place] = _SAYS_NOTHING
        if len(bare) >= LEAST:
            digest = blake2b(bare.encode("utf-8", "surrogatepass"), digest_size=8).digest()
            numbers[place] = int.from_bytes(digest, "little", signed=True)
    return numbers
