"""From a repository's files to what is learnt of them, and to a ledger of the rest."""

from collections.abc import Iterable
from pathlib import Path

import pytest

pytest.importorskip("datasketch", reason="needs the train extra: run `tenon setup train`")

from lsp_server.store.files import RepositoryFile, Skipped
from training.curation.curate import Curated, CuratedFile, curate, overlaps
from training.curation.ledger import Ledger, read_ledger
from training.outlines.extract import extract
from training.outlines.outline import outline

SHELF = '''# Copyright 2024 The Shelf Authors
# SPDX-License-Identifier: MIT

"""Books on a shelf."""


class Shelf:
    """Holds books in the order in which they came."""

    def __init__(self, width):
        self.width = width

    @property
    def books(self):
        """The books."""
        return self._books

    def fits(self, book, margin=2):
        """Whether another book of this width has room beside the others."""
        used = sum(other.width for other in self.books)
        return used + book.width + margin <= self.width

    def sort(self, key):
        """In place."""
        self._books.sort(key=key, reverse=self.reverse)
        self._sorted = True
        return self

    def remove(self, book):
        """Take one book away from here: not written yet."""
        raise NotImplementedError(
            f"{book} cannot be removed"
        )
'''
CLIENT = '''"""Asks the library over the network."""

import requests

PASSWORD = "hJ8-kk2_Qpl93xvR"


def connect(address, retries):
    """Open a session with the library's server for this process."""
    session = requests.Session()
    session.auth = ("shelf", "token=ghp_012345678901234567890123456789abcdef")
    session.retries = retries
    return session


def addresses(session, names):
    """All addresses that the server knows for some names."""
    found = session.get("/addresses", params={"names": names, "limit": 100})
    return {entry["name"]: entry["address"] for entry in found.json()}
'''
BODY = """    total = 0
    for book in shelf.books:
        total += book.width + book.margin
        if total > shelf.width:
            raise ValueError("too many books on this shelf")
    return total
"""


def file(path: str, text: str, modified: float = 0.0, language: str = "python") -> RepositoryFile:
    return RepositoryFile(path, language, text, f"sha of {path}", modified)


def curated(*files: RepositoryFile | Skipped, ledger: Ledger | None = None) -> Curated:
    return curate(extract(files, None, processes=1), ledger)


def reasons(found: Curated) -> dict[tuple[str, str], list[str]]:
    return {
        (row.what, row.reason): [entry.name or entry.path for entry in row.examples]
        for row in found.ledger.summary()
    }


def names(files: Iterable[CuratedFile]) -> list[str]:
    return [f"{entry.file.path}:{pair.name}" for entry in files for pair in entry.pairs]


def test_what_is_kept_of_a_file():
    found = curated(file("shelf.py", SHELF))
    (kept,) = found.files
    assert kept.file.text.startswith('"""Books on a shelf."""')
    assert kept.file.sha256 == "sha of shelf.py"
    assert not kept.is_test
    assert kept.redacted == ()
    pairs = {pair.name: pair for pair in kept.pairs}
    assert set(pairs) == {"Shelf", "Shelf.fits", "Shelf.sort"}
    assert pairs["Shelf.fits"].docstring.startswith("Whether another book")
    assert pairs["Shelf.sort"].docstring == ""  # two words document nothing
    assert reasons(found) == {("pair", "accessor"): ["Shelf.__init__", "Shelf.books"]}


def test_the_outline_is_that_of_the_text_and_has_only_the_kept_pairs():
    (kept,) = curated(file("shelf.py", SHELF)).files
    expected = outline(kept.file.text)
    assert expected is not None
    assert kept.outline.pairs == kept.pairs
    assert kept.outline.text == kept.file.text
    for field in ("lines", "weights", "nodes", "blocks", "functions"):
        assert getattr(kept.outline, field) == getattr(expected, field)
    fits = next(pair for pair in kept.pairs if pair.name == "Shelf.fits")
    assert kept.file.text[slice(*fits.body)].lstrip().startswith("used = sum(")


def test_secrets_are_gone_from_text_and_pairs():
    found = curated(file("client.py", CLIENT))
    (kept,) = found.files
    assert "hJ8-kk2" not in kept.file.text
    assert "ghp_" not in kept.file.text
    assert len(kept.file.text) == len(CLIENT)
    assert names(found.files) == ["client.py:addresses"]
    assert reasons(found) == {("pair", "holds a secret"): ["connect"]}
    secret = CLIENT.index("hJ8-kk2")
    assert overlaps(kept.redacted, secret - 5, secret + 5)
    addresses = CLIENT.index("def addresses")
    assert not overlaps(kept.redacted, addresses, len(CLIENT))


def test_of_near_duplicate_files_the_newest_stays():
    old = file("a/shelf.py", SHELF, modified=100.0)
    new = file("b/shelf.py", SHELF.replace("margin=2", "margin=3"), modified=200.0)
    found = curated(old, new)
    assert [entry.file.path for entry in found.files] == ["b/shelf.py"]
    assert reasons(found)["file", "near-duplicate"] == ["a/shelf.py"]
    row = next(row for row in found.ledger.summary() if row.what == "file")
    assert row.examples[0].repeats == "b/shelf.py"


def test_of_near_duplicate_bodies_the_newest_files_stays():
    filler = "".join(f"name_{n} = {n} + other_{n}\n" for n in range(50))
    old = file("a.py", filler + "\n\ndef width(shelf):\n" + BODY, modified=1.0)
    new = file("b.py", filler.replace("_", "__") + "\n\ndef total(shelf):\n" + BODY, modified=2.0)
    found = curated(old, new)
    assert len(found.files) == 2
    assert names(found.files) == ["b.py:total"]
    assert found.files[0].outline.pairs == ()
    (row,) = found.ledger.summary()
    assert (row.what, row.reason, row.count) == ("pair", "near-duplicate", 1)
    assert (row.examples[0].name, row.examples[0].repeats) == ("width", "b.py:total")


def test_the_same_files_in_another_order_give_the_same():
    texts = {"a": SHELF, "b": SHELF, "c": CLIENT, "d": CLIENT + "\n\nx = 1\n"}
    files = [file(f"{name}.py", text) for name, text in texts.items()]
    found, other = curated(*files), curated(*reversed(files))
    assert found.files == other.files
    assert [entry.file.path for entry in found.files] == ["a.py", "c.py"]


def test_whole_files_are_refused_by_their_shape_and_skipped_ones_are_entered(tmp_path: Path):
    data = "DATA = [\n" + "    123456, 7890123, 4567890,\n" * 30 + "]\n"
    path = tmp_path / "ledger.jsonl"
    with Ledger(path) as ledger:
        found = curated(
            Skipped("build/", "ignored"), file("data.py", data), file("broken.py", "def f(:\n"),
            ledger=ledger,
        )  # fmt: skip
    assert found.files == ()
    entries = {entry.path: entry.reason for entry in read_ledger(path)}
    assert entries.pop("broken.py").startswith("syntax error")
    assert entries == {"build/": "ignored", "data.py": "mostly digits"}


def test_tests_are_marked_and_get_at_most_a_quarter():
    test = "".join(
        f"def test_{n}():\n    shelf = make(width_{n})\n    assert shelf.fits({n}, name_{n})\n\n\n"
        for n in range(60)
    )
    found = curated(file("client.py", CLIENT), file("tests/test_shelf.py", test))
    assert [entry.is_test for entry in found.files] == [False, True]
    code, tests = (len(entry.file.text) for entry in found.files)
    one, share = found.shares()
    assert one == 1.0
    assert share * tests == pytest.approx(code / 3)
    assert found.shares(most_tests=0.9) == (1.0, 1.0)


def test_other_languages():
    pytest.importorskip("tree_sitter", reason="needs the train extra: run `tenon setup train`")
    text = """// Copyright 2024 The Shelf Authors.

// Package shelf holds books.
package shelf

// Fits says whether another book of this width has room beside the others.
func (s *Shelf) Fits(book Book) bool {
\tused := s.margin
\tfor _, other := range s.books {
\t\tused += other.width
\t}
\treturn used+book.width <= s.width
}

// Width of the shelf.
func (s *Shelf) Width() int {
\treturn s.width
}
"""
    found = curated(file("shelf.go", text, language="go"))
    (kept,) = found.files
    assert kept.file.text.startswith("// Package shelf")
    (pair,) = kept.pairs
    assert pair.docstring.startswith("Fits says whether")
    assert kept.file.text[slice(*pair.body)].strip().startswith("used := s.margin")
    assert list(reasons(found)) == [("pair", "accessor")]
