"""What an editor goes on showing, and what is a flicker."""

from tests.benchmarks.typing.screen import Screen


def test_what_is_typed_along_leaves_the_rest():
    screen = Screen()
    screen.answered("value)", 0, 1.0)
    screen.typed("val", 0, 0)
    assert screen.shown
    assert (screen.shown.text, screen.shown.since) == ("ue)", 1.0)
    assert not screen.answered("ue)", 0, 2.0)
    assert not screen.flickers


def test_another_key_hides_it_and_that_is_no_flicker():
    screen = Screen()
    screen.answered("value", 0, 1.0)
    screen.typed("x", 0, 0)
    assert screen.shown is None
    screen.answered("yz", 0, 2.0)
    assert not screen.flickers


def test_another_text_in_its_place_flickers_and_so_does_none():
    screen = Screen()
    screen.answered("value", 0, 1.0)
    screen.typed("v", 0, 0)
    assert screen.answered("olume", 0, 2.0)
    screen.answered("", 0, 3.0)
    assert screen.flickers == [("alue", "olume"), ("olume", "")]


def test_a_longer_text_only_grows():
    screen = Screen()
    screen.answered("value", 0, 1.0)
    assert screen.answered("value + 1", 0, 2.0)
    assert (screen.flickers, screen.grown) == ([], 1)


def test_closers_that_are_replaced_are_counted_along():
    screen = Screen()
    screen.answered("(a, b)", 0, 1.0)
    screen.typed("(", 0, 1)
    assert screen.shown
    assert (screen.shown.text, screen.shown.replaced) == ("a, b)", 1)


def test_taking_something_away_hides_it():
    screen = Screen()
    screen.answered("value", 0, 1.0)
    screen.typed("", 1, 0)
    assert screen.shown is None
