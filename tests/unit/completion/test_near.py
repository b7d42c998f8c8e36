import pytest

from lsp_server.completion.near import AFTER, BEFORE, Moved, Near

FAR = "".join(f"value_{number} = {number}\n" for number in range(2 * BEFORE // 10))


def since(then, now):
    return Near.of(*then.split("‸")).since(*now.split("‸"))


@pytest.mark.parametrize(
    ("then", "now", "moved"),
    [
        ("a = ‸\nb", "a = ‸\nb", Moved()),
        ("a = ‸\nb", "a = 1‸\nb", Moved(typed="1")),
        ("a = 1‸\nb", "a =‸\nb", Moved(deleted=" 1")),
        ("f‸\nb", "f(‸)\nb", Moved(typed="(", closers=")")),
        ("f‸\nb", 'f(["‸"])\nb', Moved(typed='(["', closers='"])')),
        ("f(‸)\nb", "f(a)‸\nb", Moved(typed="a)", overtyped=1)),
        ("f(‸))", "f(a)‸)", Moved(typed="a)", overtyped=1)),
    ],
)
def test_what_happened_at_the_cursor(then, now, moved):
    assert since(then, now) == moved
    assert since(FAR + then, FAR + now) == moved


@pytest.mark.parametrize(
    ("then", "now"),
    [
        ("a = ‸\nb", "c = ‸\nb"),
        ("a = ‸\nb", "a = ‸\nc"),
        ("a = ‸\nb", "a = ‸ + 1\nb"),
        ("a = ‸\nb", "a = ‸\nb\nc"),
        ("a = ‸\nb", "new\na = ‸\nb"),
        ("a = ‸", "‸"),
    ],
)
def test_another_text_near_the_cursor_is_another_place(then, now):
    if now != "‸":
        assert since(then, now) is None
    assert since(FAR + then, FAR + now.replace("‸", "x‸").replace("x‸", "‸")) is None or now == "‸"


def test_an_edit_far_above_or_below_leaves_the_place():
    below = "\n" + FAR[:AFTER]
    assert since(f"{FAR}a = ‸{below}\n", f"import os\n{FAR}a = 1‸{below}\n1") == Moved(typed="1")
    assert since(f"{FAR}a = ‸", f"{FAR[20:]}a = 1‸") == Moved(typed="1")


def test_an_edit_inside_what_an_answer_depends_on_does_not():
    changed = FAR[:-100] + "#" + FAR[-100:]
    assert since(f"{FAR}a = ‸", f"{changed}a = ‸") is None
