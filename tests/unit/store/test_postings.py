import pytest

from lsp_server.store import postings
from lsp_server.store.files import RepositoryFile
from lsp_server.store.index_file import IN_MEMORY, IndexFile
from lsp_server.store.postings import Postings, rarities


@pytest.fixture
def file():
    made = IndexFile(IN_MEMORY, writable=True)
    made.create()
    for number in range(3):
        put(made, f"{number}.py", f"common_word = only_{number}\n")
    yield made
    made.close()


def put(file, path, text):
    with file.transaction() as tables:
        tables.replace(RepositoryFile(path, "python", text, text, 0.0))


def asked(file, monkeypatch):
    """The statements that are put to a file from now on."""
    seen, ask = [], file.query_each

    def query_each(statement, values):
        seen.extend([statement] * len(values))
        return ask(statement, values)

    monkeypatch.setattr(file, "query_each", query_each)
    return seen


def test_terms_are_counted_and_their_windows_told(file):
    known = Postings(file)
    assert known.counts(["common_word", "only_1", "nowhere"]) == (
        3,
        {"common_word": 3, "only_1": 1},
    )
    everywhere, one = known.windows(["common_word", "only_1"])
    assert len(everywhere) == 3
    assert set(one) < set(everywhere)


def test_while_nothing_changes_nothing_is_asked_twice(file, monkeypatch):
    known = Postings(file)
    first = known.counts(["common_word"]), known.windows(["common_word"])
    seen = asked(file, monkeypatch)
    assert (known.counts(["common_word"]), known.windows(["common_word"])) == first
    assert seen == []
    put(file, "new.py", "common_word = 1\n")
    assert known.counts(["common_word"]) == (4, {"common_word": 4})
    assert len(known.windows(["common_word"])[0]) == 4


def test_what_is_kept_has_a_limit(file, monkeypatch):
    monkeypatch.setattr(postings, "MOST_KEPT", 3)
    monkeypatch.setattr(postings, "MOST_COUNTS", 1)
    known = Postings(file)
    for _ in range(2):
        assert known.counts(["common_word", "only_1"]) == (3, {"common_word": 3, "only_1": 1})
        assert [len(found) for found in known.windows(["common_word", "only_1"])] == [3, 1]


def test_a_term_that_fewer_windows_have_tells_more():
    told = rarities(["often", "seldom", "never"], 100, {"often": 60, "seldom": 2})
    assert 0 < told["often"] < told["seldom"] < told["never"]
