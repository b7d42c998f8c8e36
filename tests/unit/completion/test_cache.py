import pytest

from lsp_server.completion.cache import Answer, Place, Remembered, TypeThroughCache
from lsp_server.completion.extent import Extent
from lsp_server.completion.near import Near

PLACE = Place("file:///a.py", "qwen", "mine", 1.0)
BEFORE, AFTER = "def f():\n    re", "\nrest"


def answer(text, replace=0, before=BEFORE, after=AFTER, extent=Extent.LINE):
    return Answer(Near.of(before, after), extent, text, replace)


def filled(text="turn value", replace=0, **options):
    cache = TypeThroughCache()
    cache.add(PLACE, answer(text, replace, **options))
    return cache


def found(cache, document, **options):
    before, after = document.split("‸")
    return cache.find(PLACE, before, after, **options)


def test_typing_along_an_answer_finds_what_is_left_of_it_at_every_offset():
    cache = filled()
    for size in range(len("turn value")):
        left = cache.find(PLACE, BEFORE + "turn value"[:size], AFTER)
        assert left == Remembered("turn value"[size:])


def test_typing_something_else_misses():
    assert filled().find(PLACE, "def f():\n    rex", AFTER) is None
    assert filled().find(PLACE, "def g():\n    return", AFTER) is None


def test_an_answer_typed_to_its_end_is_used_up():
    assert filled().find(PLACE, "def f():\n    return value", AFTER) is None


def test_after_a_deletion_on_the_line_the_answer_begins_earlier():
    assert filled().find(PLACE, "def f():\n    r", AFTER) == Remembered("eturn value")
    assert filled().find(PLACE, "def f():\n", AFTER) == Remembered("    return value")
    assert filled().find(PLACE, "def f():", AFTER) is None


def test_an_answer_of_the_cursors_own_goes_before_one_from_behind_it():
    cache = filled()
    cache.add(PLACE, answer("aise", before="def f():\n    r"))
    cache.add(PLACE, answer("urn 1", before="def f():\n    ret"))
    assert cache.find(PLACE, "def f():\n    r", AFTER) == Remembered("aise")
    assert cache.find(PLACE, "def f():\n    ret", AFTER) == Remembered("urn 1")


def test_another_adapter_scale_model_file_or_text_below_misses():
    others = [
        (Place("file:///a.py", "qwen", None), AFTER),
        (Place("file:///a.py", "qwen", "mine", 0.5), AFTER),
        (Place("file:///a.py", "granite", "mine"), AFTER),
        (Place("file:///b.py", "qwen", "mine"), AFTER),
        (PLACE, "\nother"),
    ]
    assert [filled().find(place, BEFORE, after) for place, after in others] == [None] * 5


def test_that_there_was_nothing_to_say_holds_for_the_same_cursor_alone():
    cache = filled(text="")
    assert cache.find(PLACE, BEFORE, AFTER) == Remembered("")
    assert cache.find(PLACE, BEFORE + "t", AFTER) is None
    assert cache.find(PLACE, BEFORE[:-1], AFTER) is None


def test_asking_for_a_block_does_not_find_a_line():
    assert filled().find(PLACE, BEFORE, AFTER, Extent.BLOCK) is None
    assert filled().find(PLACE, BEFORE, AFTER, Extent.LINE) is not None


@pytest.mark.parametrize(
    ("then", "text", "replace", "now", "left"),
    [
        # The editor closes what is opened; the rest of the answer takes its place.
        ("x = ‸\n", "f(a, b)", 0, "x = f(‸)\n", Remembered("a, b)", 1)),
        ("x = ‸\n", "f(a, b) + 1", 0, "x = f(‸)\n", Remembered("a, b) + 1", 1)),
        ("x = ‸\n", "f([1, 2])", 0, "x = f([‸])\n", Remembered("1, 2])", 2)),
        ("x = ‸\n", "d['key']", 0, "x = d['‸']\n", Remembered("key']", 2)),
        # What the answer does not close stays.
        ("x = ‸\n", "f(a, b", 0, "x = f(‸)\n", Remembered("a, b", 0)),
        # A closer that the answer replaces is typed over.
        ("f(‸)\n", "a):", 1, "f(a)‸\n", Remembered(":", 0)),
        ("f(‸)\n", "a):", 1, "f(a‸)\n", Remembered("):", 1)),
        ("f(‸)\n", "a + g(b)):", 1, "f(a + g(‸))\n", Remembered("b)):", 2)),
        # A bracket that nobody typed is another text.
        ("x = ‸\n", "a, b)", 0, "x = ‸)\n", Remembered("a, b)", 0)),
    ],
)
def test_brackets_that_the_editor_closes(then, text, replace, now, left):
    before, after = then.split("‸")
    cache = filled(text, replace, before=before, after=after)
    assert found(cache, now) == left


def test_all_forget():
    cache = filled()
    cache.clear()
    assert cache.find(PLACE, BEFORE, AFTER) is None
