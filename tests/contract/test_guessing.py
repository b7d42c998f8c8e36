"""An answer with guessed tokens is the answer without them."""

import logging
from pathlib import Path

import pytest

from lsp_server.engine.generation import Delta, Finished, Generation, Lane, Work
from lsp_server.engine.llama import Backend, Context, Model
from lsp_server.engine.sampling import Sampling
from lsp_server.prompt.pieces import PieceIndex
from tests.starter import starter_file

SOURCE = Path(__file__).read_text("utf-8")
REPEATED = "    first = first_of(one, other)\n    second = second_of(one, other)\n"
PROMPTS = [SOURCE[:1200], f"def f(one, other):\n{REPEATED * 5}    first", SOURCE[-700:]]


TIE = 0.3
"""Of logits whose spread is about 3; a wrong position or a stale cell makes it several."""


@pytest.fixture(scope="module")
def model():
    loaded = Model.load(Backend(logging.getLogger("llama")), starter_file())
    yield loaded
    loaded.close()


class Asked:
    """A lane of its own whose decodes are counted."""

    def __init__(self, model: Model, *, guesses: bool) -> None:
        self.model, self.decodes = model, 0
        self.index = PieceIndex(model.vocabulary.pieces)
        self.context = Context(model, tokens=1024, sequences=1, chunk=64, threads=1)
        assert self.context.cuts_freely
        self.context.cuts_freely = guesses
        self.lane = Lane(self.context)

    def answer(self, prompt: str, *, most: int = 40, **sampling: float) -> tuple[list[int], str]:
        events = []
        work = Work(
            self.model.vocabulary.tokenize(prompt), most, Sampling(**{"temperature": 0} | sampling),
            logprobs=0, ignore_ends=True, cache_key="a.py",
        )  # fmt: skip
        steps = Generation(work, self.model.vocabulary, self.index, events.append).run(self.lane)
        self.decodes += sum(1 for _ in steps)
        said = [event for event in events if isinstance(event, (Delta, Finished))]
        tokens = [score.token for event in said for score in event.scores]
        return tokens, "".join(event.text for event in said)


@pytest.fixture
def both(model):
    made = [Asked(model, guesses=guesses) for guesses in (True, False)]
    yield made
    for one in made:
        one.context.close()


def regret(plain: Asked, prompt: str, tokens: list[int]) -> float:
    """By how much, at most, a token's logit is below the best one without any guessing."""
    known = plain.model.vocabulary.tokenize(prompt)
    context, worst = plain.context, 0.0
    context.truncate(0, 0)
    for start in range(0, len(known), 64):
        context.decode(known[start : start + 64], position=start, sequence=0)
    for number, token in enumerate(tokens):
        logits = context.logits()
        worst = max(worst, float(logits.max() - logits[token]))
        context.decode([token], position=len(known) + number, sequence=0)
    return worst


def test_guessing_chooses_what_the_model_would_and_saves_decodes(both):
    guessing, plain = both
    for prompt in PROMPTS:
        tokens, _ = guessing.answer(prompt)
        plain.answer(prompt)
        # Products of four tokens at once round otherwise than those of one.
        assert regret(plain, prompt, tokens) < TIE
    assert guessing.decodes < 0.8 * plain.decodes


def test_what_was_guessed_wrong_leaves_nothing_behind(both):
    guessing, plain = both
    for end in range(300, 340, 8):  # on one sequence, each going on from the last one's KV cache
        tokens, _ = guessing.answer(SOURCE[:end], most=12)
        assert regret(plain, SOURCE[:end], tokens) < TIE


def test_an_answer_has_at_most_as_many_tokens_as_were_asked_for(both):
    guessing, _ = both
    for most in (1, 2, 3, 5):
        assert len(guessing.answer(PROMPTS[1], most=most)[0]) == most
