"""Which files say what an earlier one said."""

from training.corpus.duplicates import Duplicates
from training.corpus.ngrams import signature, tokens


def ask(seen, text):
    return seen.reason(text, signature(tokens(text)))


def test_the_first_copy_stays():
    seen = Duplicates()
    text = "\n".join(f"value_{number} = call_{number}()" for number in range(100))
    assert ask(seen, text) is None
    assert ask(seen, text.replace(" = ", "=")) == "duplicate"
    assert ask(seen, text + "\nlast = True") == "near-duplicate"
    assert ask(seen, text.replace("value", "result").replace("call", "ask")) is None
