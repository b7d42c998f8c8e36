"""Which sequence a request continues."""

from lsp_server.engine.sequences import SequencePool, shared_prefix

A, B = ((1, 1.0),), ((2, 1.0),)


def test_a_file_finds_its_own_sequence_again() -> None:
    pool = SequencePool(2)
    first = pool.choose((), "a.py", [1, 2, 3])
    first.tokens += [1, 2, 3]
    second = pool.choose((), "b.py", [1, 2, 3])
    assert second is not first
    second.tokens += [1, 2, 3]
    assert pool.choose((), "a.py", [9]) is first


def test_kv_is_never_shared_between_adapters_or_scales() -> None:
    pool = SequencePool(3)
    first = pool.choose(A, "a.py", [1, 2])
    first.tokens += [1, 2]
    other = pool.choose(B, "a.py", [1, 2])
    assert other is not first
    assert other.tokens == []
    other.tokens += [1, 2]
    assert pool.choose(((1, 0.5),), "a.py", [1, 2]).tokens == []


def test_the_least_recently_used_sequence_is_emptied() -> None:
    pool = SequencePool(2)
    for file in ("a", "b"):
        pool.choose((), file, [1]).tokens.append(1)
    pool.choose((), "a", [1])
    evicted = pool.choose((), "c", [1])
    assert evicted.tokens == []
    assert pool.choose((), "a", [1]).tokens == [1]


def test_without_a_file_the_best_match_is_continued_if_it_saves_half() -> None:
    pool = SequencePool(2)
    first = pool.choose((), "", [1, 2, 3, 4])
    first.tokens += [1, 2, 3, 4]
    assert pool.choose((), "", [1, 2, 3, 5]) is first
    assert pool.choose((), "", [1, 9, 9, 9]) is not first


def test_a_request_without_a_file_never_cuts_a_files_sequence() -> None:
    pool = SequencePool(2)
    file = pool.choose((), "a.py", [1, 2, 3, 4])
    file.tokens += [1, 2, 3, 4]
    assert pool.choose((), "", [1, 2, 3, 5]) is not file


def test_an_adapter_that_is_gone_leaves_nothing() -> None:
    pool = SequencePool(1)
    pool.choose(A, "a", [1]).tokens.append(1)
    pool.forget(1)
    assert pool.choose(A, "a", [1]).tokens == []


def test_shared_prefix() -> None:
    assert shared_prefix([], [1]) == 0
    assert shared_prefix([1, 2], [1, 2, 3]) == 2
    assert shared_prefix([1, 3], [1, 2, 3]) == 1
