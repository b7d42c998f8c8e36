"""What a GGUF says of its tokens; that the ids are llama.cpp's is a contract test."""

import logging
from pathlib import Path

import pytest
from gguf import GGUFReader

from lsp_server.engine.llama import Backend, Model
from lsp_server.errors import ModelError
from tests.tiny_models import TinyVocabulary, write_tiny
from tests.train_extra import torch  # noqa: F401 - skips this file where training is not set up
from training.base.tokenizer import TextTokenizer
from training.base.vocabulary import Vocabulary, merges_by_score


@pytest.mark.parametrize("pre", ["smollm", "llama-bpe"])
@pytest.mark.parametrize("says", [None, True, False])
def test_what_stands_before_a_text(tmp_path: Path, pre: str, says: bool | None) -> None:
    flags = () if says is None else (("add_bos_token", says),)
    vocabulary = TinyVocabulary(pre=pre, flags=flags)
    path = write_tiny(tmp_path / "tiny.gguf", "llama", vocabulary=vocabulary)
    model = Model.load(Backend(logging.getLogger("llama")), path)
    assert Vocabulary.read(path).bos == model.vocabulary.bos
    model.close()


def test_an_opened_file_says_the_same(tmp_path: Path) -> None:
    path = write_tiny(tmp_path / "tiny.gguf", "llama")
    read, opened = TextTokenizer.read(path), TextTokenizer.of(GGUFReader(path))
    text = "def f(x):\n    return 12"
    assert read.encode(text) == opened.encode(text)
    assert (read.ids, read.pieces, read.bos) == (opened.ids, opened.pieces, opened.bos)


def test_merges_follow_the_scores() -> None:
    ids = {token: number for number, token in enumerate(("a", "b", "ab", "ba", "aba"))}
    assert merges_by_score(ids, [0, 0, -2, -1, -3]) == [
        ("b", "a"), ("a", "b"), ("a", "ba"), ("ab", "a"),
    ]  # fmt: skip


@pytest.mark.parametrize(("model", "lacks"), [("gpt2", "merges"), ("llama", "scores")])
def test_a_vocabulary_that_lacks_something(model: str, lacks: str) -> None:
    metadata = {"model": model, "pre": "qwen2", "tokens": ["a"], "token_type": [1]}
    keyed = {f"tokenizer.ggml.{key}": value for key, value in metadata.items()}
    with pytest.raises(ModelError, match=f"no tokenizer.ggml.{lacks}; pull the model again"):
        Vocabulary.of(keyed)


def test_a_kind_that_is_not_known() -> None:
    with pytest.raises(ModelError, match=r"'t5'.*it knows 'llama'.*choose another model"):
        Vocabulary.of({"tokenizer.ggml.model": "t5", "tokenizer.ggml.tokens": ["a"]})
