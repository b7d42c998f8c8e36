import json
import lzma
from collections import Counter
from itertools import islice
from pathlib import Path

import msgspec
import pytest

from lsp_server.errors import SettingsError
from lsp_server.prompt.formats import FORMATS
from tests.byte_tokenizer import ByteTokenizer
from training.corpus.shards import Record
from training.data.samples import Sample
from training.data.stream import (
    MOST_PER_FILE,
    SNIPPET_LINES,
    Corpus,
    Mixture,
    SampleStream,
)

TOKENIZER = ByteTokenizer()
STARTER = FORMATS["tenon-starter"]
EVERYTHING_OFF = Mixture(
    spm=1, psm=0, bare=0, plain=0, alone=0, no_suffix=0, path=0, snippet=0, heal=1,
    shortest=200, longest=400,
)  # fmt: skip


def file(number: int, source: str = "pypi:shelf==1.0") -> Record:
    """A short file that names itself in every line."""
    lines = [f"name_{number}_{line} = {line}" for line in range(8)]
    return Record(source, f"src/file{number}.py", "\n".join(lines) + "\n")


def corpus(*files: Record) -> Corpus:
    siblings: dict[str, list[int]] = {}
    for number, entry in enumerate(files):
        siblings.setdefault(entry.source, []).append(number)
    return Corpus(files, siblings)


def stream(files: Corpus, **mixture: object) -> SampleStream:
    mixed = msgspec.structs.replace(EVERYTHING_OFF, **mixture)
    return SampleStream(files, TOKENIZER, STARTER, mixed, TOKENIZER.end)


def texts(files: Corpus, count: int = 40, **mixture: object) -> list[str]:
    samples = islice(stream(files, **mixture).samples(1), count)
    return [TOKENIZER.spelled(sample.tokens) for sample in samples]


def owner(sample: Sample | str) -> int:
    """The number of the file that a sample is of."""
    text = sample if isinstance(sample, str) else TOKENIZER.spelled(sample.tokens)
    return int(text.partition("name_")[2].partition("_")[0])


def test_shards_are_read_in_their_order(tmp_path: Path):
    for name, numbers in (("a", (1, 2)), ("b", (3,))):
        with lzma.open(tmp_path / f"{name}.jsonl.xz", "wt", encoding="utf-8") as lines:
            for number in numbers:
                entry = msgspec.to_builtins(file(number, f"pypi:{name}==1"))
                lines.write(json.dumps(entry | {"licence": "MIT"}) + "\n")
    found = Corpus.read([tmp_path / "a.jsonl.xz", tmp_path / "b.jsonl.xz"])
    assert [entry.path for entry in found.files] == [f"src/file{n}.py" for n in (1, 2, 3)]
    assert found.files[2] == file(3, "pypi:b==1")
    assert found.siblings == {"pypi:a==1": [0, 1], "pypi:b==1": [2]}


@pytest.mark.parametrize(
    "content",
    [
        b"no xz at all",
        lzma.compress(b'{"source": "a", "path": "b", "text": "c"}\n' * 500)[:60],
        lzma.compress(b"{no json}\n"),
        lzma.compress(b"\xff\xfe\n"),
        lzma.compress(b'{"source": "a", "path": "b"}\n'),
        lzma.compress(b"[1]\n"),
    ],
    ids=["no xz", "truncated", "no json", "no utf-8", "no text", "no object"],
)
def test_a_damaged_shard_is_named(tmp_path: Path, content: bytes):
    (tmp_path / "a.jsonl.xz").write_bytes(content)
    with pytest.raises(SettingsError, match=r"a\.jsonl\.xz.*docs/corpus\.md"):
        Corpus.read([tmp_path / "a.jsonl.xz"])


@pytest.mark.parametrize(
    ("source", "name"),
    [
        ("pypi:attrs==25.3.0", "attrs"),
        ("github:psf/requests@1a2b3c", "requests"),
        ("shelf", ""),
    ],
)
def test_a_repository_is_called_as_its_root_would_be(source: str, name: str):
    assert Record(source, "a.py", "").repository == name


def test_the_same_arguments_give_the_same_samples():
    files = corpus(*map(file, range(6)))
    mixed = stream(files, psm=1, bare=1, plain=1, alone=0.5, no_suffix=0.5, path=0.5, heal=0.5)
    first, again, other = (list(islice(mixed.samples(seed), 30)) for seed in (1, 1, 2))
    assert first == again
    assert first != other


def test_a_pass_takes_every_file_once_and_there_is_always_another():
    found = [owner(text) for text in texts(corpus(*map(file, range(5))), 15)]
    passes = [found[at : at + 5] for at in (0, 5, 10)]
    assert [sorted(numbers) for numbers in passes] == [list(range(5))] * 3
    assert len(set(map(tuple, passes))) > 1


def test_visits_repeat_the_sources_whose_name_begins_so():
    files = corpus(file(0), file(1, "github:a/b@1"))
    found = [owner(text) for text in texts(files, 40, visits={"github:": 3})]
    assert Counter(found) == {0: 10, 1: 30}


def test_workers_share_the_files_among_themselves():
    mixed = stream(corpus(*map(file, range(7))))
    shares = [{owner(sample) for sample in islice(mixed.samples(1, n, 3), 30)} for n in range(3)]
    assert shares == [{0, 3, 6}, {1, 4}, {2, 5}]


def test_a_worker_without_files_has_no_samples():
    assert list(stream(corpus(file(0))).samples(1, 1, 2)) == []


def test_a_long_file_gives_more_samples_up_to_a_limit():
    text = "".join(f"name_0_{line} = {line}\n" for line in range(20_000))
    files = corpus(Record("pypi:a==1", "a.py", text), file(1))
    found = [owner(sample) for sample in texts(files, 2 * (MOST_PER_FILE + 1))]
    assert Counter(found)[0] == 2 * MOST_PER_FILE


def test_what_is_no_python_is_left_out():
    files = corpus(Record("pypi:a==1", "a.py", "def name_0_f(:\n"), file(1))
    assert {owner(text) for text in texts(files)} == {1}


@pytest.mark.parametrize(
    ("layout", "beginning", "before_answer"),
    [
        ("spm", "<issue_comment>", "<issue_closed>"),
        ("psm", "<issue_start>", "<issue_closed>"),
        ("bare", "<issue_comment>", ""),
        ("plain", "", ""),
    ],
)
def test_layouts(layout: str, beginning: str, before_answer: str):
    shares = {name: float(name == layout) for name in ("spm", "psm", "bare", "plain")}
    for sample in islice(stream(corpus(file(0), file(1)), **shares).samples(1), 30):
        prompt = TOKENIZER.spelled(sample.tokens[: sample.answer])
        assert prompt.startswith(beginning)
        assert prompt.endswith(before_answer)
        assert ("<issue_closed>" in prompt) == bool(before_answer)
        if layout == "plain":
            assert sample.answer == len(sample.tokens)
            # Some of the text before the cursor, and all that follows it.
            assert file(owner(prompt)).text.endswith(prompt.removesuffix("<|endoftext|>"))
            assert "<issue" not in prompt
        else:
            assert "<issue_start>" in prompt


def test_the_answer_belongs_where_it_was_cut_out():
    for text in texts(corpus(file(0), file(1)), heal=0, shortest=1000, longest=2000):
        suffix, _, rest = text.removeprefix("<issue_comment>").partition("<issue_start>")
        prefix, _, answer = rest.partition("<issue_closed>")
        assert prefix + answer.removesuffix("<|endoftext|>") + suffix == file(owner(text)).text


def test_no_text_behind_the_cursor():
    assert all(text.startswith("<issue_comment><issue_start>")
               for text in texts(corpus(file(0)), no_suffix=1))  # fmt: skip


def test_a_path_and_sometimes_the_repository():
    found = texts(corpus(file(0)), path=1)
    headers = Counter(text.partition("<issue_comment>")[0] for text in found)
    path = "<file_sep>src/file0.py\n"
    assert set(headers) == {path, f"<repo_name>shelf\n{path}"}


def test_a_snippet_of_a_file_that_the_text_names():
    naming = Record("pypi:shelf==1.0", "src/main.py", "import file0\nname_1_x = file0.y\n")
    found = texts(corpus(file(0), naming, file(2, "pypi:other==1")), 200, path=1, snippet=1)
    with_snippet = [text for text in found if text.count("<file_sep>") == 2]
    assert len(with_snippet) > 10
    for text in with_snippet:
        assert "<file_sep>src/file0.py\nname_0_0 = 0\n" in text
        assert "<file_sep>src/main.py\n<issue_comment>" in text


def test_a_snippet_is_an_excerpt_of_whole_lines():
    lines = [f"name_0_{number} = {number}" for number in range(500)]
    naming = Record("pypi:shelf==1.0", "main.py", "import file0\n")
    files = corpus(Record("pypi:shelf==1.0", "file0.py", "\n".join(lines)), naming)
    found = set()
    for text in texts(files, 300, path=1, snippet=1, longest=4000):
        header = text.partition("<issue_comment>")[0]
        if header.count("<file_sep>") == 2:
            _, snippet, _ = header.split("<file_sep>")
            found.add(snippet.removeprefix("file0.py\n"))
    assert len(found) > 3
    for snippet in found:
        assert snippet.count("\n") == SNIPPET_LINES
        assert snippet in "\n".join(lines) + "\n"


def test_a_function_on_its_own():
    text = "import os\n\n\nclass A:\n    def name_0_f(self):\n        return name_0_x\n"
    found = texts(corpus(Record("pypi:a==1", "a.py", text)), alone=1, heal=0, path=1)
    for sample in found:
        assert "import" not in sample
        assert "class" not in sample
        assert "<file_sep>" not in sample
    assert any("def name_0_f(self):\n    return" in sample for sample in found)


def test_samples_are_no_longer_than_the_mixture_says():
    text = "".join(f"name_0_{line} = [{line}, 'été']\n" for line in range(400))
    files = corpus(Record("pypi:a==1", "a.py", text))
    for plain in (0.0, 1.0):
        samples = islice(stream(files, plain=plain, spm=1 - plain).samples(1), 100)
        lengths = [len(sample.tokens) for sample in samples]
        assert max(lengths) <= 500
        assert max(lengths) > 350
        assert min(lengths) < 300 or plain


@pytest.mark.parametrize("heal", [0.0, 1.0])
def test_the_share_that_is_healed(heal: float):
    halves = [text.partition("<issue_closed>")[::2] for text in texts(corpus(file(0)), heal=heal)]
    inside_a_word = [before[-1].isalnum() and after[0].isalnum() for before, after in halves]
    assert any(inside_a_word) == (heal == 0)


def test_a_corpus_without_a_usable_file_ends_instead_of_turning_for_ever():
    stream = SampleStream(
        corpus(Record("pypi:old==1", "a.py", "print 'two'\n")), TOKENIZER, STARTER, Mixture(), 0
    )
    assert list(stream.samples(1)) == []
