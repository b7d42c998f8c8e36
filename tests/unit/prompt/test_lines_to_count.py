from hypothesis import given
from hypothesis import strategies as st

from lsp_server.prompt.window import Budget, lines_to_count, window

texts = st.lists(st.text("ab \t}é", max_size=30), max_size=40).map("\n".join)


@given(before=texts, after=texts, prefix=st.integers(0, 60), suffix=st.integers(0, 60))
def test_exactly_what_the_window_asks_for(before, after, prefix, suffix):
    budget = Budget(prefix, suffix, 16)
    asked = []

    def count(lines):
        asked.extend(lines)
        return [len(line) for line in lines]

    window(before, after, budget, count)
    assert list(lines_to_count(before, after, budget)) == asked
