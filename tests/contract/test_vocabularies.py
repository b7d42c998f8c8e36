"""Every kind of vocabulary is cut as llama.cpp cuts it.

The vocabularies are made so that a wrong boundary shows: their merges were learnt across words.
"""

import json
import logging
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.train_extra import torch  # noqa: F401 - skips this file where training is not set up

# isort: split
from hypothesis import given, settings
from hypothesis import strategies as st
from tokenizers import Tokenizer
from tokenizers.models import BPE
from tokenizers.normalizers import Replace
from tokenizers.pre_tokenizers import ByteLevel
from tokenizers.trainers import BpeTrainer

import lsp_server
from lsp_server.engine.llama import Backend, Model
from lsp_server.errors import ModelError
from tests.odd_texts import CHARACTERS, ODD, snippets
from tests.tiny_llama import byte_characters
from tests.tiny_models import TinyVocabulary, write_tiny
from training.base.tokenizer import TextTokenizer
from training.base.vocabulary import PRE_TOKENIZERS, SPACE

NUMBERS = " ".join(str(number * 7919) for number in range(200))
TEXTS = (
    *ODD, *snippets(), NUMBERS, "I'LL we'Ve HTTPServer myHTTPServer2 ÀÉcole", "a  b   c\n\n\n   d",
    "x=1+2;y*=3//4", "<tool_call>\n{}</tool_call>", "ab<tool_call>", "\n\n\n\n\nx\n\n", " <s> </s>",
    "<0x0A>", "日本語テスト、です。", "١٢٣٤٥", "tab\t\t\tend \t mix",
)  # fmt: skip
UNMERGED = "qjqjq"
"""A token that no merges make: some kinds of vocabulary find it all the same."""
SPECIAL = ("<tool_call>", "</tool_call>")


def learnt(tokenizer: Tokenizer, size: int, alphabet: list[str]) -> tuple[list[str], list[str]]:
    """(tokens, merges) of BPE over the texts, in the order in which they were learnt."""
    trainer = BpeTrainer(vocab_size=size, initial_alphabet=alphabet, show_progress=False)
    tokenizer.train_from_iterator(list(TEXTS) * 2, trainer)
    vocabulary = tokenizer.get_vocab()
    model = json.loads(tokenizer.to_str())["model"]
    merges = [" ".join(pair) for pair in model["merges"]]
    return sorted(vocabulary, key=vocabulary.__getitem__), merges


def byte_level(pre: str) -> TinyVocabulary:
    tokenizer = Tokenizer(BPE())
    tokenizer.pre_tokenizer = ByteLevel(add_prefix_space=False, use_regex=False)
    tokens, merges = learnt(tokenizer, 1500, byte_characters())
    tokens = ["<|endoftext|>", *tokens, UNMERGED, *SPECIAL]
    kinds = [3, *[1] * (len(tokens) - 3), 4, 4]
    return TinyVocabulary(tokens, kinds, "gpt2", pre, merges)


def sentence_piece(**flags: bool) -> TinyVocabulary:
    tokenizer = Tokenizer(BPE())
    tokenizer.normalizer = Replace(" ", SPACE)
    learnt_tokens, _ = learnt(tokenizer, 1500, [SPACE])
    # A few characters have no token of their own, and are written as bytes.
    without = {"é", "変", "🙂", "\0"}
    learnt_tokens = [token for token in learnt_tokens if not without & set(token)]
    first = ["<s>", "</s>", "<unk>", *(f"<0x{byte:02X}>" for byte in range(256))]
    more = [*SPECIAL, "\n\n", "\n\n\n", "  "]
    tokens = [*first, *learnt_tokens, *(token for token in more if token not in learnt_tokens)]
    kinds = [3, 3, 2, *[6] * 256, *[1] * (len(tokens) - len(first))]
    for token in more:
        kinds[tokens.index(token)] = 4
    scores = [0.0] * len(first) + [-float(rank) for rank in range(len(tokens) - len(first))]
    return TinyVocabulary(tokens, kinds, "llama", "default", (), scores, tuple(flags.items()))


VOCABULARIES = {
    **{pre: (byte_level, (pre,)) for pre in PRE_TOKENIZERS},
    "llama": (sentence_piece, ()),
    "gemma": (lambda: sentence_piece(add_space_prefix=False), ()),
}


@pytest.fixture(scope="module", params=VOCABULARIES)
def both(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[tuple[Model, TextTokenizer]]:
    make, arguments = VOCABULARIES[request.param]
    path = tmp_path_factory.mktemp("vocabulary") / "tiny.gguf"
    write_tiny(path, "llama", vocabulary=make(*arguments))
    model = Model.load(Backend(logging.getLogger("llama")), path)
    yield model, TextTokenizer.read(path)
    model.close()


def test_texts(both: tuple[Model, TextTokenizer]) -> None:
    model, tokenizer = both
    for text in (*TEXTS, UNMERGED, f"x {UNMERGED}"):
        assert tokenizer.encode(text) == model.vocabulary.tokenize(text), repr(text)


@settings(deadline=None, max_examples=150)
@given(text=st.text(CHARACTERS | st.sampled_from("aB1 '\n\t._"), max_size=40))
def test_any_text(both: tuple[Model, TextTokenizer], text: str) -> None:
    model, tokenizer = both
    assert tokenizer.encode(text) == model.vocabulary.tokenize(text)


def test_long_texts_in_parts(both: tuple[Model, TextTokenizer]) -> None:
    model, tokenizer = both
    for path in sorted(Path(lsp_server.__file__).parent.glob("engine/*.py")):
        text = path.read_text(encoding="utf-8")
        for whole in (text, text.replace("\n", "\r\n")[1000:9000]):
            assert tokenizer.encode(whole) == model.vocabulary.tokenize(whole)
    for text in (*TEXTS, "\n".join(TEXTS), *(f"a\n{text}1\r\n" for text in TEXTS)):
        assert tokenizer.encode(text) == model.vocabulary.tokenize(text), repr(text)


def test_pieces_and_what_stands_before_a_text(both: tuple[Model, TextTokenizer]) -> None:
    model, tokenizer = both
    pieces = model.vocabulary.pieces
    differing = [number for number, piece in enumerate(tokenizer.pieces) if piece != pieces[number]]
    assert {pieces[number] for number in differing} == {b""}  # control tokens, never in text
    assert tokenizer.bos == model.vocabulary.bos


def test_a_wrong_pre_tokenizer_would_show(tmp_path: Path) -> None:
    path = write_tiny(tmp_path / "tiny.gguf", "llama", vocabulary=byte_level("qwen2"))
    tokenizer = TextTokenizer.read(path)
    for pre in ("smollm", "gpt-2", "llama-bpe", "deepseek-coder", "seed-coder", "tekken"):
        other = write_tiny(tmp_path / "other.gguf", "llama", vocabulary=byte_level(pre))
        model = Model.load(Backend(logging.getLogger("llama")), other)
        served = [model.vocabulary.tokenize(text) for text in TEXTS]
        model.close()
        with pytest.raises(ModelError, match="cut a text differently"):
            tokenizer.check_against(TEXTS, served)
