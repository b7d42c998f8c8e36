"""Samples of a repository without end, each a function of the seed and its number."""

from collections import Counter
from dataclasses import replace
from itertools import islice
from statistics import mean

import pytest

from lsp_server.prompt.formats import FORMATS
from lsp_server.prompt.window import Budget
from lsp_server.store.files import RepositoryFile
from lsp_server.store.index import RepositoryIndex
from tests.byte_tokenizer import ByteTokenizer
from tests.git_repositories import code

pytest.importorskip("datasketch", reason="needs the train extra: run `tenon setup train`")

from training.curation.curate import CuratedFile
from training.data.dataset import (
    CHARACTERS_PER_SAMPLE,
    Codebase,
    Dataset,
    SampleMix,
    TrainingFile,
    recency,
)
from training.data.spans import Middle
from training.data.terms import Terms
from training.outlines.outline import outline

TOKENIZER = ByteTokenizer()
BUDGET = Budget(prefix=600, suffix=200, output=32, snippets=400)
NAMES = ("alpha", "beta", "gamma")
LINES = SampleMix(kinds={"line": 1}, context=0, replay=0)
DAY = 86_400.0


def training_file(name: str, lines: int = 60, **fields) -> TrainingFile:
    text = f"import {NAMES[0]}\n\n\n" + code(name, lines)
    file = RepositoryFile(f"src/{name}.py", "python", text, "", 0.0)
    found = outline(text)
    assert found is not None
    return TrainingFile(CuratedFile.of(file, found), **fields)


def codebase(*files: TrainingFile, name: str = "shelf", indexed: bool = True) -> Codebase:
    index = RepositoryIndex.of_files([file.curated.file for file in files]) if indexed else None
    return Codebase(name, files, index)


def dataset(*files: TrainingFile, mix: SampleMix, general: Codebase | None = None) -> Dataset:
    files = files or tuple(map(training_file, NAMES))
    terms = Terms(FORMATS["tenon-starter"], TOKENIZER, BUDGET, TOKENIZER.end)
    return Dataset(codebase(*files), general, mix, terms)


def spans(found: Dataset, count: int) -> list[tuple[str, int, int]]:
    """Path, start and end of the middles of the first samples."""
    examples = map(found.example, range(count))
    return [(it.path, len(it.before), len(it.before + it.middle)) for it in examples]


def test_a_sample_is_a_function_of_the_seed_and_its_number():
    one, other = dataset(mix=SampleMix()), dataset(mix=SampleMix())
    backwards = [other.sample(number) for number in reversed(range(12))]
    assert [one.sample(number) for number in range(12)] == backwards[::-1]
    assert spans(replace(one, seed=2), 12) != spans(one, 12)


@pytest.mark.parametrize("processes", [2, 3])
def test_processes_share_the_same_samples_and_a_run_goes_on_anywhere(processes: int):
    found = dataset(mix=SampleMix())
    alone = list(islice(found.samples(6), 12))
    shared = [list(islice(found.samples(6 + first, processes), 12 // processes))
              for first in range(processes)]  # fmt: skip
    assert [sample for step in zip(*shared, strict=True) for sample in step] == alone


def test_no_middle_touches_a_closed_span():
    open_file = training_file("alpha")
    text = open_file.curated.file.text
    closed = (text.index("    alpha_20 ="), text.index("    alpha_40 ="))
    mix = replace_kinds({"line": 4, "line_end": 4, "block_end": 2, "empty": 2})
    free = spans(dataset(open_file, mix=mix), 300)
    assert sum(touches(span, closed) for span in free) > 50
    kept = spans(dataset(replace(open_file, closed=(closed,)), mix=mix), 300)
    assert not any(touches(span, closed) for span in kept)
    assert len(set(kept)) > 100


def replace_kinds(kinds: dict[str, float]) -> SampleMix:
    return SampleMix(kinds=kinds, context=0, replay=0)


def touches(span: tuple[str, int, int], closed: tuple[int, int]) -> bool:
    _, start, end = span
    return start < closed[1] and max(end, start + 1) > closed[0]


@pytest.mark.parametrize(
    ("middle", "is_open"),
    [((0, 10), True), ((0, 11), False), ((19, 30), False), ((20, 30), True),
     ((10, 10), False), ((20, 20), True), ((9, 9), True)],
)  # fmt: skip
def test_the_borders_of_a_closed_span(middle: tuple[int, int], is_open: bool):
    file = training_file("alpha", closed=((10, 20),))
    assert file.is_open(Middle("line", *middle)) is is_open


def test_a_file_that_is_closed_throughout_gives_nothing_to_write():
    whole = training_file("alpha")
    found = dataset(replace(whole, closed=((0, whole.characters + 1),)), mix=LINES)
    assert found.example(0).middle == ""


def test_kinds_are_drawn_by_their_weights():
    found = dataset(mix=replace_kinds({"line": 3, "empty": 1}))
    kinds = Counter(found.example(number).kind for number in range(400))
    assert set(kinds) == {"line", "empty"}
    assert 0.68 < kinds["line"] / 400 < 0.82


def test_general_code_is_replayed_in_its_share_and_without_context():
    general = codebase(training_file("delta"), name="cpython", indexed=False)
    mix = SampleMix(replay=0.3, context=1)
    found = dataset(mix=mix, general=general)
    examples = [found.example(number) for number in range(200)]
    replayed = [it for it in examples if it.repository == "cpython"]
    assert 0.22 < len(replayed) / 200 < 0.38
    assert {it.path for it in replayed} == {"src/delta.py"}
    assert not any(it.snippets for it in replayed)
    own = sum(file.characters for file in found.repository.files) / CHARACTERS_PER_SAMPLE
    assert found.pass_size == -(-own // 0.7)
    assert replace(found, general=None).pass_size == -(-own // 1)


def test_files_are_drawn_by_size_and_weight():
    light = replace(training_file("alpha"), weight=0.25)
    heavy = training_file("gamma", 60)
    drawn = Counter(path for path, _, _ in spans(dataset(light, heavy, mix=LINES), 500))
    assert 0.13 < drawn["src/alpha.py"] / 500 < 0.27


def test_context_comes_in_its_share_and_never_holds_what_was_taken_out():
    found = dataset(mix=SampleMix(kinds={"line": 1}, context=0.6, replay=0))
    texts = {file.curated.file.path: file.curated.file.text for file in found.repository.files}
    examples = [found.example(number) for number in range(150)]
    shown = [it for it in examples if it.snippets]
    assert 0.45 < len(shown) / 150 <= 0.7
    own = 0
    for example in shown:
        for snippet in example.snippets:
            lines = [line for line in snippet.text.split("\n") if line.strip()]
            assert all(line in texts[snippet.path].split("\n") for line in lines)
            own += snippet.path == example.path
            if snippet.path == example.path:
                assert example.middle.strip() not in [line.strip() for line in lines]
    assert own > 10
    unknown = dataset(mix=SampleMix(context=0, replay=0))
    assert not any(unknown.example(number).snippets for number in range(30))


def test_windows_are_between_the_smallest_and_the_one_that_serves():
    file = training_file("alpha", 200)
    text = file.curated.file.text

    def prefixes(smallest: float) -> list[int]:
        """Bytes of the prompts' prefixes, of samples with more text than any window before them."""
        mix = SampleMix(kinds={"line": 1}, context=0, replay=0, smallest=smallest)
        found = dataset(file, mix=mix)
        sizes = []
        for number in range(150):
            example = found.example(number)
            if len(example.before) > 2 * BUDGET.prefix:
                sample = found.sample(number)
                prompt = TOKENIZER.spelled(sample.tokens[: sample.answer]) + sample.owed.decode()
                prefix = prompt.partition("<issue_start>")[2].replace("<issue_closed>", "")
                assert text.find(prefix) >= 0
                sizes.append(len(prefix.encode()))
        return sizes

    fixed, scaled = prefixes(1.0), prefixes(0.3)
    assert len(fixed) > 50
    cursor_line = 40  # is not counted in tokens, see lsp_server.prompt.window
    assert max(fixed + scaled) <= BUDGET.prefix + cursor_line
    assert 0.5 < mean(scaled) / mean(fixed) < 0.8  # evenly over the logarithm: 0.58


def test_older_files_count_less_but_never_less_than_a_quarter():
    now = 1_000 * DAY
    changed = {"new": now, "half": now - 90 * DAY, "old": 0.0, "future": now + DAY}
    weights = recency(changed, now, 90.0)
    assert weights == {"new": 1.0, "half": pytest.approx(0.5), "old": 0.25, "future": 1.0}
