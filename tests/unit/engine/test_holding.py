from lsp_server.engine.holding import Held


def sent(pieces: list[str], hold_ms: float, *, each_ms: float = 10.0) -> list[str]:
    """The texts that travel, where a token takes ``each_ms``; the last one at the answer's end."""
    held, travelled = Held(hold_ms), []
    for number, piece in enumerate(pieces, 1):
        if held.add(piece, number, number * each_ms):
            travelled.append(held.take()[0])
    return [*travelled, held.take()[0]]


def test_without_a_hold_every_piece_travels_alone():
    assert sent(["a", "b", "\n", "c"], 0) == ["a", "b", "\n", "c", ""]


def test_pieces_of_a_line_travel_together():
    assert sent(["a", "b", "c", "d", "e", "f", "g"], 30) == ["abc", "def", "g"]


def test_on_a_slow_machine_nobody_waits_longer_than_for_a_token():
    assert sent(["a", "b"], 30, each_ms=50) == ["a", "b", ""]


def test_a_line_end_and_how_the_next_line_begins_travel_at_once():
    assert sent(["a", "\n", "    ", "b", "c"], 1000) == ["a\n", "    ", "b", "c"]
    assert sent(["a", "\n    b", "c", "d"], 1000) == ["a\n    b", "cd"]


def test_a_blank_beginning_of_an_answer_is_no_line_start():
    assert sent([" ", "a", "b"], 1000) == [" ab"]


def test_scores_stay_with_their_text():
    held = Held(1000)
    for number in range(3):
        assert not held.add("x", number, 1.0)
    assert held.take() == ("xxx", (0, 1, 2))
    assert held.take() == ("", ())
