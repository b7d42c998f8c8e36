import json
import lzma
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lsp_server.prompt.assemble import Source
from lsp_server.prompt.query import ANCHOR_LINES, Query
from lsp_server.prompt.snippets import Candidate, candidates_for, fit, lines_of, snippets_for
from lsp_server.prompt.window import Budget, Window, window
from lsp_server.store.files import RepositoryFile, language_of
from lsp_server.store.index import RepositoryIndex

LEDGER = '''"""Keeps books."""


class Ledger:
    """All entries."""

    def add_entry(self, amount):
        """Add one."""
        self.entries.append(amount)
        self.total_amount += amount
        self.notify_listeners(amount)
        return self.total_amount


def open_ledger(path):
    """A ledger on disk."""
    return Ledger(path)
'''
REPORT = """from books.ledger import Ledger


def monthly_report(ledger):
    for amount in ledger.entries:
        print_amount(amount)
    return ledger.total_amount
"""
OTHER = "def unrelated_weather_service(city):\n    return fetch_weather(city)\n"
FILES = {"books/ledger.py": LEDGER, "reports.py": REPORT, "weather.py": OTHER}
HERE = "from books.ledger import Ledger\n\n\ndef book(ledger: Ledger, amount):\n    "


def count(lines):
    return [max(1, len(line) // 4) for line in lines]


@pytest.fixture(scope="module")
def index():
    return RepositoryIndex.of_files(
        RepositoryFile(path, language_of(path), text, str(hash(text)), 0.0)
        for path, text in FILES.items()
    )


def shown(index, before, after="", *, path="app.py", budget=400):
    return snippets_for(Source(before, after, path, "repo"), index, budget, count)


def test_an_imported_definition_that_is_used_here_stands_last(index):
    snippets = shown(index, HERE)
    assert snippets[-1].path == "books/ledger.py"
    assert "class Ledger:" in snippets[-1].text
    assert [snippet.path for snippet in snippets] == ["reports.py", "books/ledger.py"]


def test_what_is_too_long_is_shown_as_its_head(index):
    [snippet] = [entry for entry in shown(index, HERE, budget=120) if "ledger.py" in entry.path]
    assert snippet.text == (
        'class Ledger:\n    """All entries."""\n    def add_entry(self, amount): ...'
    )


def test_the_budget_holds_and_nothing_fits_into_none(index):
    for budget in (0, 5, 20, 60, 200):
        snippets = shown(index, HERE, budget=budget)
        lines = [line + "\n" for entry in snippets for line in entry.text.split("\n")]
        cost = sum(count(lines)) + sum(sum(count([entry.path])) for entry in snippets)
        assert cost <= budget
    assert shown(index, HERE, budget=0) == ()


def test_what_the_index_has_of_the_file_at_hand_never_comes_back(index):
    before, _, after = LEDGER.partition("        self.total_amount += amount\n")
    for shown_part in (None, Window("", "")):
        snippets = snippets_for(
            Source(before, after, "books/ledger.py"), index, 4000, count, shown=shown_part
        )
        assert all("self.total_amount +=" not in snippet.text for snippet in snippets)


STEPS = "".join(
    f"def step_{number}(ledger):\n    ledger.begin_step({number})\n"
    f"    ledger.finish_step({number}, note={'x' * number!r})\n\n\n"
    for number in range(60)
)


@pytest.mark.parametrize("cursor_first", [True, False])
def test_the_document_itself_is_a_source_where_the_prompt_does_not_show_it(index, cursor_first):
    here = "def last(ledger):\n    ledger.settle_account(1)\n\n"
    there = "def early(ledger):\n    ledger.settle_account(2)\n    ledger.archive_account(2)\n\n"
    filler = "\n" * 3 + STEPS
    around = ("\n" * 7 + here, "\n" + filler + there)
    before, after = around if cursor_first else (there + filler + here + "\n" * 9, "\n")
    source = Source(before, after, "app.py")
    [snippet] = [one for one in snippets_for(source, index, 120, count) if one.path == "app.py"]
    assert "ledger.archive_account(2)" in snippet.text
    everything = Window(before, after)
    assert "app.py" not in {
        one.path for one in snippets_for(source, index, 120, count, shown=everything)
    }


@settings(max_examples=60, deadline=None)
@given(
    lines=st.lists(st.sampled_from(STEPS.split("\n")), min_size=20, max_size=300),
    cursor=st.integers(0, 300),
    reach=st.none() | st.tuples(st.integers(0, 4000), st.integers(0, 4000)),
)
def test_windows_of_the_document_are_lines_that_the_prompt_has_not(index, lines, cursor, reach):
    above, below = lines[:cursor], lines[cursor:]
    marked = [*(f"{line} # {number}" for number, line in enumerate(above)), "    cur"]
    rest = ["sor", *(f"{line} # -{number}" for number, line in enumerate(below))]
    before, after = "\n".join(marked), "\n".join(rest)
    cut = None if reach is None else Window(before[-reach[0] or len(before) :], after[: reach[1]])
    source = Source(before, after, "app.py")
    visible = "" if cut is None else cut.prefix + "\n" + cut.suffix
    document = set(marked[:-1]) | set(rest[1:])
    for candidate in candidates_for(source, index, cut):
        if candidate.path == "app.py":
            shown_lines = set(candidate.whole.split("\n"))
            assert shown_lines <= document
            assert not shown_lines & set(visible.split("\n"))


def test_a_package_of_the_same_name_elsewhere_is_not_meant(index):
    before = "from numpy import Ledger\n" + "\n" * 9 + "Led"
    assert candidates_for(Source(before, "", "app.py"), index) == ()


def test_a_module_that_is_imported_gives_the_names_that_are_used_of_it(index):
    before = (
        "from books import ledger\n\n\ndef run(path):\n    ledger.open_ledger(path)\n" + "\n" * 9
    )
    snippets = shown(index, before)
    assert snippets[-1].path == "books/ledger.py"
    assert "def open_ledger(path):" in snippets[-1].text


def test_a_telling_name_that_only_one_place_defines_needs_no_import(index):
    before = "\n" * 10 + "# nothing\nx = unrelated_weather_service(1)\n"
    after = "\ny = unrelated_weather_service(2)\n"
    assert [entry.path for entry in shown(index, before, after)] == ["weather.py"]


def test_windows_that_stand_in_the_prompt_already_are_left_out(index):
    snippets = shown(index, "\n" * 20 + LEDGER.rstrip("\n") + "\n" * 10, path="copy.py")
    assert "books/ledger.py" not in {entry.path for entry in snippets}


BODY = HERE + "".join(f"total_{line} = ledger.add_entry({line})\n    " for line in range(40))


def anchored(text):
    return text.count("\n") // ANCHOR_LINES * ANCHOR_LINES


def test_typing_leaves_the_snippets_as_they_are(index):
    after = "\n\ndef rest(weather):\n    return weather.total_amount\n"
    seen: dict[int, set] = {}
    for end in range(len(HERE), len(BODY)):
        before = BODY[:end]
        seen.setdefault(anchored(before), set()).add(shown(index, before, after))
    assert len(seen) == 5
    assert all(len(snippets) == 1 for snippets in seen.values())


def test_typing_leaves_the_windows_of_the_document_as_they_are(index):
    budget = Budget(prefix=200, suffix=60, output=0)
    typed = STEPS[: len(STEPS) // 3]
    before, after = STEPS + HERE, "\n" + STEPS.replace("begin", "open")
    seen: dict[tuple[int, int], set] = {}
    for line in range(typed.count("\n")):
        text = before + "\n".join(typed.split("\n")[:line]) + "\n    led"
        cut = window(text, after, budget, count)
        found = snippets_for(Source(text, after, "app.py"), index, 300, count, shown=cut)
        assert any(entry.path == "app.py" for entry in found)
        seen.setdefault((anchored(text), len(text) - len(cut.prefix)), set()).add(found)
    assert len(seen) > 10
    assert all(len(snippets) == 1 for snippets in seen.values())


def test_the_cursors_own_line_says_nothing(index):
    typed = [HERE, HERE + "unrelated_weather_service(open_ledger"]
    first, second = (shown(index, before, "rest_of_line\n\n") for before in typed)
    assert first == second


@settings(max_examples=60, deadline=None)
@given(
    before=st.lists(st.sampled_from([*LEDGER.split("\n"), *REPORT.split("\n")]), max_size=40),
    after=st.lists(st.sampled_from(REPORT.split("\n")), max_size=20),
    budget=st.integers(0, 300),
)
def test_any_document_gives_the_same_twice(before, after, budget):
    fresh = [
        RepositoryIndex.of_files(
            RepositoryFile(path, "python", FILES[path], "", 0.0) for path in order
        )
        for order in (sorted(FILES), sorted(FILES, reverse=True))
    ]
    texts = "\n".join(before), "\n".join(after)
    one, other = (shown(entry, *texts, budget=budget) for entry in fresh)
    assert one == other


def test_every_line_that_is_counted_was_announced(index):
    found = candidates_for(Source(HERE, "", "app.py"), index)
    announced = set(lines_of(found))

    def strict(lines):
        assert set(lines) <= announced
        return count(lines)

    assert fit(found, 200, strict)


def test_pieces_of_one_file_become_one_snippet_in_the_files_order():
    candidates = [
        Candidate("b.py", 20, 22, "second"),
        Candidate("a.py", 0, 1, "other"),
        Candidate("b.py", 3, 4, "first"),
        Candidate("b.py", 4, 6, "overlaps"),
    ]
    snippets = fit(candidates, 100, count)
    assert [(entry.path, entry.text) for entry in snippets] == [
        ("a.py", "other"), ("b.py", "first\nsecond"),
    ]  # fmt: skip


def test_the_definition_around_the_cursor_is_part_of_the_query():
    lines = ["import x", "", "def far(alpha_one):", *["    pass"] * 20, "def near(beta_two):",
             '    """Uses gamma_three', "    and more.", '    """']  # fmt: skip
    query = Query.of(Source("\n".join([*lines, *["    step"] * 5, "    cur"]), ""))
    assert {"beta_two", "gamma_three"} <= set(query.terms)
    assert "alpha_one" not in query.terms


TIMESPLIT = Path(__file__).parents[4] / "shared" / "bench" / "timesplit"
"""Evaluation data that may not be in this repository."""


@pytest.mark.skipif(not TIMESPLIT.is_dir(), reason=f"{TIMESPLIT} is not on this machine")
def test_real_repositories_give_snippets_within_the_budget():
    for path in sorted(TIMESPLIT.glob("*.json.xz")):
        split = json.loads(lzma.decompress(path.read_bytes()))
        files = split["head_files"]
        index = RepositoryIndex.of_files(
            RepositoryFile(name, language_of(name), text, "", 0.0) for name, text in files.items()
        )
        found = []
        for span in split["eval"][:20]:
            text = files[span["path"]]
            before, after = text[: span["start"]], text[span["end"] :]
            found.append(shown(index, before, after, path=span["path"]))
            parts = [entry.text for entry in found[-1] if entry.path == span["path"]]
            lines = {line for part in parts for line in part.split("\n")}
            assert lines <= set((before + "\n" + after).split("\n"))
        assert sum(map(bool, found)) > len(found) // 2


@pytest.mark.parametrize("suffix", [0, 24, 400])
def test_the_documents_own_windows_are_told_by_their_lines_and_lie_outside_of_the_prompt(
    index, suffix
):
    text = "\n\n\n".join(
        f"def book_{n}(ledger, amount):\n    ledger.add_entry(amount)\n    ledger.close_{n}()"
        for n in range(40)
    )
    lines = text.split("\n")
    for at in range(0, len(text), 97):
        source = Source(text[:at], text[at:], "app.py", "repo")
        shown = window(source.before, source.after, Budget(64, suffix, 16), count)
        first = text.count("\n", 0, at - len(shown.prefix))
        last = text.count("\n", 0, at + len(shown.suffix))
        for one in candidates_for(source, index, shown):
            if one.path == "app.py":
                assert one.whole == "\n".join(lines[one.first : one.last + 1]).strip("\n")
                assert one.last <= first or one.first >= last
