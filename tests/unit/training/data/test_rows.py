from itertools import islice
from types import SimpleNamespace

import pytest

from lsp_server.prompt.formats import FORMATS
from tests.byte_tokenizer import ByteTokenizer
from tests.train_extra import torch
from training.corpus.shards import Record
from training.data import rows as training_rows
from training.data.packing import Weights, packed
from training.data.rows import PackedRows, batches, fixed
from training.data.stream import Corpus, Mixture, SampleStream

LENGTH = 96
WEIGHTS = Weights(prompt=0.25)
KINDS = {
    "tokens": torch.int64, "targets": torch.int64, "positions": torch.int32,
    "documents": torch.int32, "weights": torch.float32, "answers": torch.bool,
}  # fmt: skip
TOKENIZER = ByteTokenizer()


@pytest.fixture
def stream() -> SampleStream:
    files = [Record("pypi:a==1", f"f{n}.py", f"name = {n}\nother = name\n") for n in range(6)]
    corpus = Corpus(files, {"pypi:a==1": list(range(6))})
    mixture = Mixture(shortest=16, longest=64)
    return SampleStream(corpus, TOKENIZER, FORMATS["tenon-starter"], mixture, TOKENIZER.end)


def rows(stream: SampleStream, *, seed: int = 1) -> PackedRows:
    return PackedRows(stream, LENGTH, WEIGHTS, [TOKENIZER.ids["<file_sep>"]], seed=seed)


def test_batches_are_stacks_of_rows(stream: SampleStream):
    first, second = islice(batches(rows(stream), 3, workers=0), 2)
    one_by_one = list(islice(rows(stream), 6))
    for name, kind in KINDS.items():
        assert first[name].shape == (3, LENGTH)
        assert first[name].dtype == kind
        stacked = torch.stack([row[name] for row in one_by_one])
        assert torch.equal(torch.cat([first[name], second[name]]), stacked)
    assert set(first) == set(KINDS)
    assert first["answers"].any()


def test_a_seed_says_what_is_read(stream: SampleStream):
    tokens = [next(iter(rows(stream, seed=seed)))["tokens"] for seed in (1, 1, 2)]
    assert torch.equal(tokens[0], tokens[1])
    assert not torch.equal(tokens[0], tokens[2])


def test_a_worker_reads_its_share(stream: SampleStream, monkeypatch: pytest.MonkeyPatch):
    worker = SimpleNamespace(id=1, num_workers=3)
    monkeypatch.setattr(training_rows, "get_worker_info", lambda: worker)
    expected = packed(stream.samples(1, 1, 3), LENGTH, WEIGHTS, frozenset())
    for found, row in islice(zip(rows(stream), expected, strict=True), 3):
        assert found["tokens"].tolist() == row.tokens.tolist()


def test_a_fixed_set_is_the_first_batches_every_time(stream: SampleStream):
    kept = fixed(rows(stream), 2, 3)
    assert len(kept) == 3
    streamed = list(islice(batches(rows(stream), 2, workers=0), 3))
    for one, other in zip(kept, streamed, strict=True):
        assert all(torch.equal(one[name], other[name]) for name in KINDS)


def test_a_fixed_set_of_nothing_is_empty(stream: SampleStream):
    nothing = SampleStream(Corpus([]), TOKENIZER, stream.fim, stream.mixture, TOKENIZER.end)
    assert fixed(rows(nothing), 2, 3) == []
