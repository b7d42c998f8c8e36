"""What is asked about the tokens of lines, and what is not."""

import asyncio

from hypothesis import given
from hypothesis import strategies as st

from lsp_server.completion.tokens import LineCounts
from lsp_server.prompt.window import Budget, window

LINES = st.lists(st.text(st.sampled_from("ab é😀("), max_size=30), max_size=25)


class Counting:
    """Counts as an engine would, with anything from none to a token a byte and one more."""

    def __init__(self, counts):
        self.counts = counts
        self.asked = []

    def of(self, texts):
        limits = [len(text.encode()) + 1 for text in texts]
        return [self.counts.setdefault(text, limit) for text, limit in zip(texts, limits)]  # noqa: B905

    async def count_tokens(self, texts):
        self.asked.append(list(texts))
        return self.of(texts)


@given(
    above=LINES,
    below=LINES,
    prefix=st.integers(0, 120),
    suffix=st.integers(0, 60),
    known=LINES,
    data=st.data(),
)
def test_the_window_is_the_one_of_the_true_counts(*, above, below, prefix, suffix, known, data):
    before, after = "\n".join(above), "\n".join(below)
    counts = {
        f"{line}\n": data.draw(st.integers(0, len(f"{line}\n".encode()) + 1))
        for line in above + below
    }
    engine, lines = Counting(counts), LineCounts()
    budget = Budget(prefix, suffix, 8)

    async def ask():
        await lines.prime(engine, [f"{line}\n" for line in known])
        return await lines.window(engine, before, after, budget)

    assert asyncio.run(ask()) == window(before, after, budget, engine.of)


async def test_nothing_is_asked_where_all_fits_in_any_case():
    engine, lines = Counting({}), LineCounts()
    shown = await lines.window(engine, "a = 1\nb = ", "\nc = 3\n", Budget(100, 100, 8))
    assert (shown.prefix, shown.suffix) == ("a = 1\nb = ", "\nc = 3\n")
    assert not engine.asked


async def test_what_could_move_an_edge_is_asked_once():
    engine, lines = Counting({}), LineCounts()
    before = "".join(f"value_{number} = {number}\n" for number in range(40))
    for _ in range(2):
        await lines.window(engine, before, "", Budget(100, 0, 8))
    assert len(engine.asked) == 1
    await lines.window(engine, before + "something = new\n", "", Budget(100, 0, 8))
    assert engine.asked[1:] in ([], [["something = new\n"]])


async def test_lines_in_use_outlive_others():
    engine, lines = Counting({}), LineCounts(size=10)
    for number in range(40):
        await lines.prime(engine, ["used\n", f"other {number}\n"])
    assert sum("used\n" in asked for asked in engine.asked) == 1
    assert await lines.prime(engine, ["other 0\n", "other 39\n"]) == 1
