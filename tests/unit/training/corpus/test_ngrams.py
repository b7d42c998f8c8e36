"""Texts as numbers."""

import numpy as np

from training.corpus.ngrams import code_tokens, ngrams, signature, tokens


def test_tokens_are_names_numbers_and_signs_without_comments():
    assert tokens("x_1 += 22  # add\n") == ["x_1", "+", "=", "22"]


def test_code_tokens_leave_imports_out():
    text = "import os\nfrom a.b import (\n    c,\n    d,\n)\nfrom e import f\n\nc(d)\n"
    assert code_tokens(text) == ["c", "(", "d", ")"]


def test_ngrams_are_the_same_wherever_they_stand():
    one, other = ngrams(list("abcde"), 3), ngrams(list("xbcdy"), 3)
    assert len(one) == 3
    assert len(np.intersect1d(one, other)) == 1
    assert len(ngrams(["a"], 3)) == 0


def test_order_matters():
    assert ngrams(["a", "b"], 2) != ngrams(["b", "a"], 2)


def test_signatures_estimate_similarity():
    words = [f"word{number}" for number in range(400)]
    nearly = [*words[:390], *["other"] * 5]
    other = [f"other{number}" for number in range(400)]
    assert (signature(words) == signature(words)).all()
    assert (signature(words) == signature(nearly)).mean() > 0.8
    assert (signature(words) == signature(other)).mean() < 0.1


def test_a_text_without_tokens_has_a_signature():
    assert len(signature([])) == len(signature(["a"])) == 64
