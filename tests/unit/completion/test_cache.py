from lsp_server.completion.cache import Place, Remembered, TypeThroughCache
from lsp_server.completion.extent import Extent

PLACE = Place("file:///a.py", "qwen", None, "\nrest")


def filled(text="turn value", replace=0):
    cache = TypeThroughCache()
    cache.add(PLACE, "def f():\n    re", Remembered(text, replace), Extent.LINE)
    return cache


def test_typing_along_an_answer_finds_what_is_left_of_it():
    cache = filled(replace=1)
    found = cache.find(PLACE, "def f():\n    return v")
    assert found == Remembered("alue", 1)


def test_typing_something_else_misses():
    assert filled().find(PLACE, "def f():\n    rex") is None
    assert filled().find(PLACE, "def g():\n    return") is None


def test_an_answer_typed_to_its_end_is_used_up():
    assert filled().find(PLACE, "def f():\n    return value") is None


def test_an_earlier_cursor_than_the_answers_misses():
    assert filled().find(PLACE, "def f():\n    r") is None


def test_another_adapter_model_file_or_text_below_misses():
    others = [
        Place("file:///a.py", "qwen", "mine", "\nrest"),
        Place("file:///a.py", "granite", None, "\nrest"),
        Place("file:///b.py", "qwen", None, "\nrest"),
        Place("file:///a.py", "qwen", None, "\nother"),
    ]
    assert [filled().find(place, "def f():\n    re") for place in others] == [None] * 4


def test_that_there_was_nothing_to_say_holds_for_the_same_cursor_alone():
    cache = filled(text="")
    assert cache.find(PLACE, "def f():\n    re") == Remembered("", 0)
    assert cache.find(PLACE, "def f():\n    ret") is None


def test_asking_for_a_block_does_not_find_a_line():
    assert filled().find(PLACE, "def f():\n    re", Extent.BLOCK) is None
    assert filled().find(PLACE, "def f():\n    re", Extent.LINE) is not None


def test_the_newest_answer_that_fits_wins():
    cache = filled()
    cache.add(PLACE, "def f():\n    ret", Remembered("urn 1", 0), Extent.LINE)
    assert cache.find(PLACE, "def f():\n    ret") == Remembered("urn 1", 0)
