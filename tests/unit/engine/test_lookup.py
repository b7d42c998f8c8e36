from lsp_server.engine.lookup import GUESSES, Lookup


def test_what_followed_the_same_tokens_is_guessed():
    assert Lookup([1, 2, 3, 4, 5, 6, 1, 2]).guess(9) == [3, 4, 5][:GUESSES]
    assert Lookup([1, 2, 3, 4, 1, 2]).guess(1) == [3]


def test_the_longest_match_counts_and_of_those_the_last():
    assert Lookup([1, 2, 3, 9, 2, 3, 8, 1, 2, 3]).guess(1) == [9]
    assert Lookup([2, 3, 7, 2, 3, 8, 2, 3]).guess(1) == [8]


def test_a_guess_may_reach_into_itself():
    assert Lookup([5, 5, 5]).guess(3) == [5]
    assert Lookup([1, 2, 1, 2, 1, 2]).guess(3) == [1, 2]


def test_nothing_is_guessed_from_nothing():
    assert Lookup([]).guess(3) == []
    assert Lookup([1]).guess(3) == []
    assert Lookup([1, 2, 3, 4]).guess(3) == []
    assert Lookup([1, 2, 3, 1, 2]).guess(0) == []


def test_the_answers_own_tokens_count():
    known = Lookup([1, 2, 3])
    known.add(1)
    assert known.guess(3) == []
    known.add(2)
    assert known.guess(3) == [3, 1, 2]
