"""The ids of text are llama.cpp's, over the vocabulary that is served."""

import logging
from collections.abc import Iterator
from pathlib import Path
from unicodedata import ucd_3_2_0

import pytest
from gguf import GGUFReader
from hypothesis import given, settings
from hypothesis import strategies as st

import lsp_server
from lsp_server.engine.llama import Backend, Model
from lsp_server.errors import ModelError
from tests.starter import starter_file
from tests.tiny_llama import CONTROL, TOKENS, write_llama
from tests.train_extra import torch  # noqa: F401 - skips this file where training is not set up
from training.tokenizer import TextTokenizer

ODD = (
    "", " ", "\n", "\t", "\x0c", "\r\n", "a\r\nb", "  \n\n\t\tx", "\x0c\ndef f():\n    pass\n",
    "x = 1234567890", "0x1F_FF + 1e-10j", "v1.2.3", "٣٤٥ ४५६ ① ½ Ⅷ", "if x:\n\treturn\t1  # tab",
    "don't we'll I'm they've I'D", "naïve café Zoë", "变量 = '值'  # 注释", "変数",
    "🙂🙃 👩‍👩‍👧", "e\u0301",
    "\u00a0\u2003\u3000x", "\ufeffx", "\x00\x01\x7f", "a\u2028b\u0085c", "<|endoftext|>",
    "<issue_start>def<issue_closed>", "Ġword Ċ", "    " * 9 + "x", "_" * 40, "=" * 80,
    "< \x06)", "\n \x16\x1d\U00089a4a x", "a\x04b",  # of which some bytes have no token
    "self.assertEqual(self.x,  12)", '"""Docs."""\n\n\n', "f'{a!r:>{width}}'", "\N{KELVIN SIGN}ſß",
)  # fmt: skip

ASSIGNED = [
    character
    for character in map(chr, range(0x30000))
    if ucd_3_2_0.category(character) not in {"Cn", "Cs"}
]
"""What both know the kind of: they were built with tables of different years."""
CHARACTERS = st.sampled_from(ASSIGNED[:256]) | st.sampled_from(ASSIGNED)


def snippets() -> list[str]:
    """Pieces of this package's own source, cut at lines and inside words."""
    found = []
    for path in sorted(Path(lsp_server.__file__).parent.glob("prompt/*.py")):
        text = path.read_text(encoding="utf-8")
        found += [text[at : at + 157] for at in range(0, len(text), 113)]
    return found


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
    reader = GGUFReader(write_llama(tmp_path / "tiny.gguf", pre="qwen2"))
    with pytest.raises(ModelError, match=r"'smollm'.*give the starter model"):
        TextTokenizer.of(reader)
