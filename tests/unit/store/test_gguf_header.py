import struct
import time
from pathlib import Path

import pytest
from gguf import GGUFReader

from lsp_server.errors import CorruptModelError
from lsp_server.store.gguf_header import read_header
from tests.gguf_files import QWEN_TOKENS, write_gguf
from tests.loras import write_tiny_llama
from tests.starter import plain_file


def test_the_starter_says_what_it_is():
    header = read_header(plain_file())
    assert header.architecture == "llama"
    assert header.context == 8192
    assert header.license == "apache-2.0"
    assert header.parameters == 134_515_008
    assert len(header.vocabulary) == 49_152
    assert header.vocabulary[1] == "<|im_start|>"


def test_tokens_come_in_order(tmp_path: Path):
    assert read_header(write_gguf(tmp_path / "a.gguf")).vocabulary == QWEN_TOKENS


def test_lists_are_kept_if_they_are_asked_for(tmp_path: Path):
    file = write_gguf(tmp_path / "a.gguf")
    wanted = ["tokenizer.ggml.token_type", "tokenizer.ggml.merges", "tokenizer.ggml.scores"]
    arrays = read_header(file, arrays=wanted).arrays
    assert arrays["tokenizer.ggml.token_type"] == (1,) * len(QWEN_TOKENS)
    assert arrays["tokenizer.ggml.merges"] == ("a b",)
    assert "tokenizer.ggml.scores" not in arrays  # the file has none
    assert "tokenizer.ggml.merges" not in read_header(file).arrays


def test_where_the_tensors_lie(tmp_path: Path):
    file = write_tiny_llama(tmp_path / "a.gguf", kind="Q4_1")
    found, wanted = read_header(file).tensors, GGUFReader(file).tensors
    assert found.keys() == {tensor.name for tensor in wanted}
    data = file.read_bytes()
    for tensor in wanted:
        info = found[tensor.name]
        assert info.shape == tuple(reversed(tensor.shape))
        assert info.kind == tensor.tensor_type
        assert data[info.offset : info.offset + info.size] == tensor.data.tobytes()


def test_a_vocabulary_of_150_000_is_read_in_time(tmp_path: Path):
    tokens = [f"token{number}" for number in range(150_000)]
    file = write_gguf(tmp_path / "large.gguf", tokens=tokens)
    start = time.perf_counter()
    assert len(read_header(file).vocabulary) == 150_000
    assert time.perf_counter() - start < 3  # the gguf package's reader needs ten


@pytest.mark.parametrize("missing", [1, 4096, 4200, 4300])
def test_a_truncated_file_is_refused(tmp_path: Path, missing: int):
    file = write_gguf(tmp_path / "a.gguf", size=4096)
    data = file.read_bytes()
    file.write_bytes(data[:-missing])
    with pytest.raises(CorruptModelError, match=r"truncated|ends inside"):
        read_header(file)


def test_every_cut_through_the_header_is_refused(tmp_path: Path):
    data = write_gguf(tmp_path / "a.gguf", size=64).read_bytes()
    cut = tmp_path / "cut.gguf"
    for length in range(len(data)):
        cut.write_bytes(data[:length])
        with pytest.raises(CorruptModelError):
            read_header(cut)


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (b"", "ends inside"),
        (b"PK\x03\x04" + bytes(100), "letters GGUF"),
        (b"GGUF" + struct.pack(">I", 3) + bytes(100), "version"),
        (b"GGUF" + struct.pack("<IQQ", 3, 1 << 60, 0), "claims"),
        (b"GGUF" + struct.pack("<IQQ", 3, 0, 1) + struct.pack("<Q", 1 << 40), "claims"),
        (b"GGUF" + struct.pack("<IQQ", 3, 0, 1) + struct.pack("<QsI", 1, b"k", 99), "type 99"),
        (b"GGUF" + struct.pack("<IQQ", 3, 0, 0), "no architecture"),
    ],
)
def test_what_is_no_gguf_is_refused_quickly(tmp_path: Path, data: bytes, message: str):
    file = tmp_path / "bad.gguf"
    file.write_bytes(data)
    start = time.perf_counter()
    with pytest.raises(CorruptModelError, match=message):
        read_header(file)
    assert time.perf_counter() - start < 1


def test_a_lora_adapter_is_no_model(tmp_path: Path):
    file = write_gguf(tmp_path / "a.gguf", extra={"general.type": "adapter"})
    with pytest.raises(CorruptModelError, match="adapter"):
        read_header(file)


def test_one_part_of_several_is_told_how_to_be_joined(tmp_path: Path):
    file = write_gguf(tmp_path / "a.gguf", extra={"split.count": 3})
    with pytest.raises(CorruptModelError, match="gguf-split --merge"):
        read_header(file)
