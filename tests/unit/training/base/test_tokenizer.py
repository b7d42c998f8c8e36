"""The ids of text are llama.cpp's, over the vocabulary that is served."""

import logging
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from gguf import GGUFReader
from hypothesis import given, settings
from hypothesis import strategies as st

from lsp_server.engine.llama import Backend, Model
from lsp_server.errors import ModelError
from tests.odd_texts import CHARACTERS, ODD, snippets
from tests.starter import starter_file
from tests.tiny_llama import CONTROL, TOKENS, write_llama
from tests.train_extra import torch  # noqa: F401 - skips this file where training is not set up
from training.base.tokenizer import TextTokenizer


@pytest.fixture(scope="module")
def served() -> Iterator[Model]:
    model = Model.load(Backend(logging.getLogger("llama")), starter_file())
    yield model
    model.close()


@pytest.fixture(scope="module")
def tokenizer() -> TextTokenizer:
    return TextTokenizer.of(GGUFReader(starter_file()))


def test_source_has_the_ids_that_llama_cpp_gives(served: Model, tokenizer: TextTokenizer):
    texts = [*ODD, *snippets()]
    assert len(texts) > 200
    for text in texts:
        ids = served.vocabulary.tokenize(text)
        assert tokenizer.encode(text) == ids, repr(text)
        assert tokenizer.count([text]) == [len(ids)]


@settings(deadline=None, max_examples=200)
@given(text=st.text(CHARACTERS, max_size=40))
def test_any_text_has_the_ids_that_llama_cpp_gives(served, tokenizer, text):
    assert tokenizer.encode(text) == served.vocabulary.tokenize(text)


@settings(deadline=None)
@given(text=st.text(st.sampled_from("ab1 _\n\t()='é変🙂"), max_size=60))
def test_encoding_loses_nothing(tokenizer, text):
    ids = tokenizer.encode(text)
    assert tokenizer.decode(ids) == text
    assert b"".join(tokenizer.pieces[number] for number in ids) == text.encode()
    assert tokenizer.count([text, "x"]) == [len(ids), 1]


def test_the_bytes_of_every_token_of_text_are_llama_cpps(served: Model, tokenizer: TextTokenizer):
    pieces = served.vocabulary.pieces
    assert len(tokenizer.pieces) == len(pieces)
    differing = [number for number, piece in enumerate(tokenizer.pieces) if piece != pieces[number]]
    assert {pieces[number] for number in differing} == {b""}  # control tokens, never in text


def test_control_tokens_are_known_by_their_text_and_never_met_in_text(tokenizer: TextTokenizer):
    assert tokenizer.ids["<issue_closed>"] not in tokenizer.encode("x<issue_closed>y")
    assert tokenizer.decode(tokenizer.encode("x<issue_closed>y")) == "x<issue_closed>y"


def test_a_small_vocabulary(tmp_path: Path):
    reader = GGUFReader(write_llama(tmp_path / "tiny.gguf"))
    tokenizer = TextTokenizer.of(reader)
    assert tokenizer.ids["<|endoftext|>"] == 0
    found = [TOKENS[number] for number in tokenizer.encode("    return 12")]
    assert found == ["ĠĠ", "Ġ", "Ġreturn", "Ġ", "1", "2"]
    assert len(tokenizer.pieces) == len(TOKENS) > 256 + len(CONTROL)


def test_another_kind_of_vocabulary_is_refused(tmp_path: Path):
    reader = GGUFReader(write_llama(tmp_path / "tiny.gguf", pre="poro-chat"))
    with pytest.raises(ModelError, match=r"'gpt2'.*'poro-chat'.*qwen2.*choose another model"):
        TextTokenizer.of(reader)


def test_ids_that_are_the_engines_pass(served: Model, tokenizer: TextTokenizer):
    tokenizer.check_against(ODD, [served.vocabulary.tokenize(text) for text in ODD])


@pytest.mark.parametrize("change", [lambda ids: [*ids, 0], lambda ids: ids[:-1], lambda ids: [1]])
def test_other_ids_than_the_engines_are_reported_with_their_place(
    tokenizer: TextTokenizer, change: Callable[[list[int]], list[int]]
):
    ids = tokenizer.encode("def mean(values):")
    with pytest.raises(ModelError, match=r"cut a text differently.*choose another one"):
        tokenizer.check_against(["x", "def mean(values):"], [tokenizer.encode("x"), change(ids)])
