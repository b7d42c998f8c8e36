"""Which names a tokenizer breaks, by how much that costs."""

from lsp_server.store.files import RepositoryFile
from tests.byte_tokenizer import ByteTokenizer
from training.data.identifiers import identifier_report

PYTHON = '''
import os
from collections import defaultdict
from shelves import Shelf

def load_catalogue(tmp_folder, count=1_000_000):
    """Not load_catalogue, only its documentation."""
    found = defaultdict(list)  # load_catalogue again
    found.update(os.environ)
    return Shelf(found).sorted_by("load_catalogue").read_bytes()

class Book:
    def __init__(self):
        self.number_of_pages = load_catalogue(None)
'''
SCRIPT = """
// shelfWidth
const shelfWidth = `shelfWidth ${1}`;
export function measure(shelf) { return shelf.getBoundingClientRect(shelfWidth, /* shelfWidth */) }
"""


def file(text: str, language: str) -> RepositoryFile:
    return RepositoryFile(f"f.{language}", language, text, "", 0.0)


class WordTokenizer(ByteTokenizer):
    """Words up to an underscore are one token, with the blank before them."""

    def count(self, texts):
        return [len(text.strip().split("_")) for text in texts]


def test_a_repositorys_own_names_by_cost():
    report = identifier_report(
        [file(PYTHON, "python"), file(SCRIPT, "typescript")], ByteTokenizer(), top=4
    )
    assert [(entry.name, entry.occurrences) for entry in report] == [
        ("load_catalogue", 2), ("shelfWidth", 2), ("number_of_pages", 1), ("found", 3),
    ]  # fmt: skip
    first = report[0]
    assert (first.pieces, first.cost) == (14, 26)
    assert first.split == tuple("load_catalogue")


def test_what_is_not_the_repositorys_is_left_out():
    report = identifier_report(
        [file(PYTHON, "python"), file(SCRIPT, "javascript")], ByteTokenizer(), top=100
    )
    names = {entry.name for entry in report}
    assert names == {
        "load_catalogue", "tmp_folder", "found", "shelves", "Shelf", "Book",
        "number_of_pages", "shelfWidth", "measure", "shelf",
    }  # fmt: skip


def test_a_name_in_one_piece_is_not_broken():
    names = [entry.name for entry in identifier_report([file(PYTHON, "python")], WordTokenizer())]
    assert names == ["load_catalogue", "number_of_pages", "tmp_folder"]
