"""`tenon train-base`: what it writes, and what it says of a run that cannot be."""

import json
import lzma
from pathlib import Path

import pytest

from lsp_server.cli import main
from tests.tiny_llama import CONTROL, TOKENS, write_llama
from tests.train_extra import torch  # noqa: F401 - skips this file where training is not set up

pytestmark = pytest.mark.usefixtures("as_before")


def told(capsys, path: Path) -> str:
    """The one line that a run that cannot be ends with."""
    assert main(["train-base", str(path)]) == 1
    said = capsys.readouterr().err
    assert said.startswith("tenon: ")
    assert said.count("\n") == 1
    return said


def test_a_run_writes_its_artefact_and_its_log(capsys, write_config, run_folder):
    output = run_folder / f"[bold] {'x' * 90}.gguf"  # a path is told as it is
    for _ in range(2):
        assert main(["train-base", str(write_config(tokens=512, output=output.name))]) == 0
    printed = capsys.readouterr().out
    assert "step      1/2" in printed
    assert "held-out answers" in printed
    assert f"written: {output}\n" in printed
    assert output.is_file()
    lines = [json.loads(line) for line in (run_folder / "log.jsonl").read_text().splitlines()]
    assert [line["step"] for line in lines] == [1, 2, 1, 2]
    assert set(lines[0]) == {
        "step", "tokens", "loss", "answer_loss", "learning_rate", "tokens_per_second", "heldout",
    }  # fmt: skip


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"learning_rat": 1.0}, "learning_rat"),
        ({"tokens": "many"}, "$.tokens"),
        ({"tokens": 0}, "$.tokens"),
        ({"rows": 0}, "$.rows"),
        ({"length": -1}, "$.length"),
        ({"decay": 1.5}, "$.decay"),
        ({"rounded": -0.5}, "$.rounded"),
        ({"learning_rate": 0.0}, "$.learning_rate"),
        ({"clip": 0.0}, "$.clip"),
        ({"workers": -1}, "$.workers"),
        # What 8 bits are stored in are blocks of 32, and a run must not end at its first save.
        ({"attention_rank": 24}, "$.attention_rank"),
        ({"feed_forward_rank": 0}, "$.feed_forward_rank"),
        ({"mixture": {"spm": -1}}, "$.mixture.spm"),
        ({"mixture": {"shortest": 0}}, "$.mixture.shortest"),
        ({"mixture": {"heal": 2}}, "$.mixture.heal"),
        ({"mixture": {"spm": 0, "psm": 0, "bare": 0, "plain": 0}}, "spm, psm, bare and plain"),
        ({"corpus": ["nowhere/*.xz"]}, "no shard matches nowhere/*.xz"),
        ({"corpus": ["/somewhere/*.xz"]}, "patterns are relative"),
        ({"heldout": ["nowhere.xz"]}, "no shard matches nowhere.xz"),
        ({"base": "nowhere.gguf"}, "nowhere.gguf"),
        ({"base": "corpus"}, "corpus"),
        ({"base": "run.toml"}, "run.toml is no usable GGUF"),
        ({"resume": "nowhere.gguf"}, "nowhere.gguf is no artefact"),
        ({"resume": "base.gguf"}, "base.gguf is no artefact"),
        ({"output": "nowhere/starter.gguf"}, "no folder"),
    ],
)
def test_what_cannot_be_is_said_in_one_line(capsys, write_config, run_folder, changes, said):
    assert said in told(capsys, write_config(**changes))
    assert not list(run_folder.glob("*.lora.gguf"))
    assert not list(run_folder.glob("log*"))


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (None, "No such file"),
        (b"base = [", "run.toml"),
        (b"base = 'x'", "corpus"),
        (b"base = '\xff'", "run.toml"),
    ],
)
def test_a_configuration_that_cannot_be_read(capsys, tmp_path, content, said):
    if content is not None:
        (tmp_path / "run.toml").write_bytes(content)
    line = told(capsys, tmp_path / "run.toml")
    assert said in line
    assert "training/starter/starter.toml" in line


@pytest.mark.parametrize("share", [0.01, 0.2, 0.99])
def test_a_torn_base(capsys, write_config, run_folder, share):
    base = run_folder / "base.gguf"
    content = base.read_bytes()
    base.write_bytes(content[: int(share * len(content))])
    assert "base.gguf is no usable GGUF" in told(capsys, write_config())


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"pre": "poro-chat"}, "'poro-chat'"),
        ({"without": "blk.1.attn_k.weight"}, "blk.1.attn_k.weight"),
        ({"without": "head_count_kv"}, "attention.head_count_kv"),
        ({"tokens": ("<|endoftext|>", "<issue_stop>", *TOKENS[2:8], "x", "y", *TOKENS[10:])},
         "<issue_start>"),
    ],
)  # fmt: skip
def test_a_base_of_another_kind(capsys, write_config, run_folder, options, said):
    assert len(options.get("tokens", TOKENS)) == len(TOKENS) > len(CONTROL)
    write_llama(run_folder / "base.gguf", **options)
    assert said in told(capsys, write_config())


@pytest.mark.parametrize("content", [b"", b"\n"])
def test_shards_without_files(capsys, write_config, run_folder, content):
    (shard,) = (run_folder / "corpus").iterdir()
    shard.write_bytes(lzma.compress(content.strip()))
    assert "docs/corpus.md" in told(capsys, write_config())


def test_a_damaged_shard(capsys, write_config, run_folder):
    (shard,) = (run_folder / "corpus").iterdir()
    shard.write_bytes(shard.read_bytes()[:50])
    assert "group1-0.jsonl.xz is no shard" in told(capsys, write_config())


def test_an_artefact_of_other_ranks(capsys, write_config):
    assert main(["train-base", str(write_config(tokens=256))]) == 0
    line = told(capsys, write_config(resume="starter.lora.gguf", attention_rank=64))
    assert "the ranks of its configuration" in line


def test_shards_without_a_usable_file(capsys, write_config, run_folder):
    (shard,) = (run_folder / "corpus").iterdir()
    record = {"source": "pypi:old==1", "path": "a.py", "text": "print 'two'\n"}
    shard.write_bytes(lzma.compress(json.dumps(record).encode()))
    assert "gave out after 0 of" in told(capsys, write_config())
