import pytest

from lsp_server.prompt.assemble import Source
from lsp_server.prompt.recall import Recall
from lsp_server.prompt.snippets import candidates_for, fit
from lsp_server.prompt.window import Budget, window
from lsp_server.store.files import RepositoryFile
from lsp_server.store.index import RepositoryIndex
from tests.threads import at_once

FILES = {
    f"books/part_{n}.py": "\n".join(
        f"def entry_{n}_{line}(ledger, amount):\n    ledger.add_{line}(amount)"
        for line in range(30)
    )
    for n in range(4)
}
ABOVE = "from books.part_1 import entry_1_2\n\n\ndef book(ledger):\n" + "    ledger.add_1(2)\n" * 30
BELOW = "\n\n\ndef other(ledger, amount):\n    ledger.add_3(amount)\n" * 5
BUDGET = Budget(64, 32, 16, 200)


def count(lines):
    return [max(1, len(line) // 4) for line in lines]


@pytest.fixture
def index():
    return RepositoryIndex.of_files(
        RepositoryFile(path, "python", text, path, 0.0) for path, text in FILES.items()
    )


def asked(recall: Recall, index: RepositoryIndex, before: str, after: str, path="app.py"):
    source = Source(before, after, path, "repo")
    shown = window(before, after, BUDGET, count)
    found = recall.candidates(source, index, shown)
    assert found == candidates_for(source, index, shown)
    return found


def test_typing_inside_a_line_looks_nothing_up(index):
    recall = Recall()
    first = asked(recall, index, ABOVE + "    led", BELOW)
    assert first
    for typed in ("    ledg", "    ledger.", "    ledger.add_2("):
        assert asked(recall, index, ABOVE + typed, BELOW) is first
    assert asked(recall, index, ABOVE + "    ledger.add_2(", ")" + BELOW) is first


def test_what_is_known_is_told_without_looking_anything_up(index):
    recall, shown = Recall(), window(ABOVE, BELOW, BUDGET, count)
    source = Source(ABOVE, BELOW, "app.py", "repo")
    assert recall.known(source, index, shown) is None
    found = recall.candidates(source, index, shown)
    assert recall.known(source, index, shown) is found


def test_every_other_change_is_seen(index):
    recall = Recall()
    last = asked(recall, index, ABOVE, BELOW)
    for before, after in (
        (ABOVE + "\n", BELOW),
        (ABOVE, BELOW + "x"),
        (ABOVE.replace("add_1", "add_7"), BELOW),
        (ABOVE, BELOW.replace("add_3", "add_9")),
        ("", BELOW),
        (ABOVE, ""),
    ):
        found = asked(recall, index, before, after)
        assert found is not last
        last = found


def test_a_change_of_the_index_is_seen(index):
    recall = Recall()
    before = asked(recall, index, ABOVE, BELOW)
    index.replace_file(RepositoryFile("new.py", "python", FILES["books/part_1.py"], "n", 0.0))
    assert asked(recall, index, ABOVE, BELOW) != before


def test_documents_are_kept_apart(index):
    recall = Recall()
    one, other = (asked(recall, index, ABOVE, BELOW, path) for path in ("one.py", "other.py"))
    assert asked(recall, index, ABOVE, BELOW, "one.py") is one
    assert asked(recall, index, ABOVE, BELOW, "other.py") is other


def test_what_fits_is_remembered_for_its_budget(index):
    recall = Recall()
    found = asked(recall, index, ABOVE, BELOW)
    assert recall.fitted("app.py", found, 200) is None
    snippets = recall.fit("app.py", found, 200, count)
    assert snippets == fit(found, 200, count)
    assert recall.fitted("app.py", found, 200) is snippets
    assert recall.fitted("app.py", found, 300) is None


def test_threads_may_share_one():
    recall = Recall()

    def ask(seed):
        for number in range(3_000):
            path = f"{(number * seed) % 40}.py"
            if recall.fitted(path, (), 200) is None:
                recall.fit(path, (), 200, count)

    at_once(ask)
