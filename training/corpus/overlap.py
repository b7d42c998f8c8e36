"""Whether training files repeat evaluation sets; also a script that counts it over shards:
`python -P -m training.corpus.overlap SHARDS... --against FOLDER`.
"""

import argparse
import ast
import collections
import dataclasses
import keyword
import re
import sys
import warnings
from collections.abc import Iterable, Iterator, Sequence
from collections.abc import Set as AbstractSet
from pathlib import Path

import numpy as np
import numpy.typing as npt

from .evaluation import Evaluation, read_evaluation
from .ngrams import Hashes, code_tokens, ngrams, tokens
from .shards import read_shards

RUN = 13
"""Tokens in a row that two independent authors do not write alike, if they name enough."""
NAMES = 4
"""Different names (no keywords) such a run must hold: ``[1, 2, 3, 4, 5, 6, 7]`` says nothing."""
COMMON = 4
"""A run of a *repository's* file in so many sources of one group is an idiom, and exempt."""
DEFINED = re.compile(r"\bdef (\w+)\(")
SIMILAR = 0.5
"""Token Jaccard from which on a function of a problem's name counts as its solution."""


@dataclasses.dataclass(frozen=True)
class Overlap:
    """``runs``: the repositories' n-grams that the file holds, which may turn out to be idioms."""

    reason: str | None
    runs: Hashes


class Detector:
    """What the evaluation sets hold, ready to be compared with."""

    def __init__(self, evaluation: Evaluation) -> None:
        self._problems = _telling_runs(text for _, text in evaluation.problems)
        self._files = _telling_runs(evaluation.files)
        self._functions: dict[str, list[frozenset[str]]] = collections.defaultdict(list)
        for name, text in evaluation.problems:
            if name:
                self._functions[name].append(frozenset(tokens(text)))

    def look(self, text: str) -> Overlap:
        runs = np.unique(ngrams(code_tokens(text), RUN))
        repositories = runs[_contains(self._files, runs)]
        if _contains(self._problems, runs).any():
            return Overlap("repeats a problem", repositories)
        if self._solves(text):
            return Overlap("solves a problem by name", repositories)
        return Overlap(None, repositories)

    def _solves(self, text: str) -> bool:
        asked = self._functions.keys() & set(DEFINED.findall(text))
        return bool(asked) and any(
            _jaccard(body, known) >= SIMILAR
            for name, body in _functions(text, asked)
            for known in self._functions[name]
        )


def idioms(found: Iterable[tuple[str, Hashes]]) -> Hashes:
    """The runs that so many of the (source, runs) share that nobody can own them."""
    sources: dict[str, list[Hashes]] = collections.defaultdict(list)
    for source, runs in found:
        sources[source].append(runs)
    if not sources:
        return np.empty(0, np.uint64)
    each = [np.unique(np.concatenate(runs)) for runs in sources.values()]
    values, counts = np.unique(np.concatenate(each), return_counts=True)
    return values[counts >= COMMON]


def repeats_repository(overlap: Overlap, exempt: Hashes) -> bool:
    return bool(len(np.setdiff1d(overlap.runs, exempt)))


def _telling_runs(texts: Iterable[str]) -> Hashes:
    """The sorted hashes of all runs that hold enough names."""
    kept: list[Hashes] = []
    for text in texts:
        words = code_tokens(text)
        names = [word if _is_name(word) else "" for word in words]
        telling = [
            len(set(names[start : start + RUN]) - {"", "self"}) >= NAMES
            for start in range(len(words) - RUN + 1)
        ]
        kept.append(ngrams(words, RUN)[np.array(telling, bool)])
    return np.unique(np.concatenate(kept)) if kept else np.empty(0, np.uint64)


def _is_name(word: str) -> bool:
    return word.isidentifier() and not keyword.iskeyword(word)


def _contains(known: Hashes, asked: Hashes) -> npt.NDArray[np.bool_]:
    if not len(known):
        return np.zeros(len(asked), bool)
    places = np.minimum(np.searchsorted(known, asked), len(known) - 1)
    found: npt.NDArray[np.bool_] = known[places] == asked
    return found


def _functions(text: str, asked: AbstractSet[str]) -> Iterator[tuple[str, frozenset[str]]]:
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            tree = ast.parse(text)
    except (SyntaxError, ValueError, RecursionError):
        return
    lines = text.split("\n")
    for node in ast.walk(tree):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) and node.name in asked:
            body = lines[node.lineno - 1 : node.end_lineno]
            yield node.name, frozenset(tokens("\n".join(body)))


def _jaccard(one: frozenset[str], other: frozenset[str]) -> float:
    return len(one & other) / max(len(one | other), 1)


def main(arguments: Sequence[str]) -> int:
    parser = argparse.ArgumentParser(prog="training.corpus.overlap", description=__doc__)
    parser.add_argument("shards", nargs="+", type=Path)
    parser.add_argument("--against", required=True, type=Path, help="folder of evaluation sets")
    options = parser.parse_args(arguments)
    detector = Detector(read_evaluation(options.against))
    reasons: collections.Counter[str] = collections.Counter()
    found: list[tuple[str, Overlap]] = []
    for record in read_shards(options.shards):
        overlap = detector.look(record.text)
        reasons["files"] += 1
        reasons[overlap.reason or "clear of problems"] += 1
        if len(overlap.runs):
            found.append((record.source, overlap))
    exempt = idioms((source, overlap.runs) for source, overlap in found)
    reasons["share a run with a repository"] = len(found)
    reasons["... that is not an idiom"] = sum(
        repeats_repository(overlap, exempt) for _, overlap in found
    )
    for reason, count in reasons.items():
        sys.stdout.write(f"{count:9,}  {reason}\n")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
