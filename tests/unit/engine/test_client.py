"""What the client makes of a stream's events."""

from lsp_server.completion.confidence import Scored
from lsp_server.engine.client import chunk_of


def event(text, tokens, logprobs, finish=None):
    named = {"tokens": tokens, "token_logprobs": logprobs} if tokens else None
    return {"choices": [{"text": text, "logprobs": named, "finish_reason": finish}]}


def test_tokens_have_their_places_in_the_text():
    chunk = chunk_of(event("a = b", ["a", " =", " b"], [-1.0, -2.0, -3.0]))
    assert chunk.scores == (Scored(1, -1.0), Scored(3, -2.0), Scored(5, -3.0))


def test_what_healing_took_back_stands_before_the_text():
    chunk = chunk_of(event("rn a", [" ", "return", " a"], [-0.1, -0.2, -0.3]))
    assert chunk.scores == (Scored(0, -0.1), Scored(2, -0.2), Scored(4, -0.3))


def test_the_token_that_ended_the_answer_has_no_text():
    chunk = chunk_of(event("b\n", ["b", "\n", ""], [-0.1, -0.2, -0.3], "stop"))
    assert chunk.scores == (Scored(1, -0.1), Scored(2, -0.2), Scored(2, -0.3))
    assert chunk_of(event("", [], [], "stop")).scores == ()
