"""Serving defines the prompt, training imitates it: the same tokens for a document and a cursor."""

import logging
from collections.abc import Iterator
from pathlib import Path

import pytest
from gguf import GGUFReader

import lsp_server
from lsp_server.completion.budget import budget_for
from lsp_server.completion.engine import EngineInfo
from lsp_server.completion.provider import CompletionProvider, Query
from lsp_server.engine.encode import heal, segment_tokens
from lsp_server.engine.llama import Backend
from lsp_server.engine.runtime import Runtime, RuntimeOptions, Served
from lsp_server.prompt.assemble import Snippet, Source, assemble
from lsp_server.prompt.formats import FORMATS
from lsp_server.prompt.window import Budget
from lsp_server.store.files import RepositoryFile
from lsp_server.store.index import RepositoryIndex
from tests.fakes import FakeEngine
from tests.starter import starter_file
from tests.train_extra import torch  # noqa: F401 - skips this file where training is not set up
from training.base.tokenizer import TextTokenizer
from training.curation.curate import CuratedFile
from training.data.dataset import Codebase, Dataset, SampleMix, TrainingFile
from training.data.samples import fim_sample
from training.data.terms import Terms
from training.outlines.outline import outline
from training.served import LATENCY_TARGET_MS
from training.starter.artefact import END

STARTER = FORMATS["tenon-starter"]
PACKAGE = Path(lsp_server.__file__).parent
FILES = ("prompt/formats.py", "engine/llama.py", "server.py")
BUDGETS = (Budget(700, 300, 64), Budget(90, 40, 64))
WHOLE = Budget(4000, 4000, 64)
ODD = (
    ("", "x = 1\n"),
    ("x = 1\n", ""),
    ("retu", ""),
    ("retu", "\n\ndef f():\n"),
    ("def f():\n    retu", "\n"),
    ("def f():\n    ", "\n"),
    ("if x:\n\t", "\treturn\n"),
    ("text = 'größ", "'\n"),
    ("text = '日本", "'\n"),
    ("# 😀😀😀😀😀", "\n"),
    ("x = 'ﷺﷺﷺﷺ", "'\n"),
    ("x = 12", "34\n"),
    ("\x0c\nx = f(", ")\n"),
    ("an_identifier_of_far_more_tokens_than_eight_is_not_taken_back_who", "le = 1\n"),
    ("print('<issue_closed>", "<issue_start>')\n"),
)


@pytest.fixture(scope="module")
def runtime() -> Iterator[Runtime]:
    served = Served("tenon-starter", starter_file(), STARTER)
    options = RuntimeOptions(context=128, sequences=1, threads=1)
    loaded = Runtime(Backend(logging.getLogger("llama")), served, options)
    yield loaded
    loaded.close()


@pytest.fixture(scope="module")
def tokenizer() -> TextTokenizer:
    return TextTokenizer.of(GGUFReader(starter_file()))


def cursors() -> Iterator[tuple[Source, str, Budget]]:
    """Sources without the middle, the middle, and a budget: lines, words, any place, odd texts."""
    for name in FILES:
        text = (PACKAGE / name).read_text(encoding="utf-8")
        for number in range(12):
            start = len(text) * (2 * number + 1) // 24
            end = start + (0, 3, 40)[number % 3] if number % 4 else text.index("\n", start)
            path, repository = (f"lsp_server/{name}", "tenon") if number % 2 else ("", "")
            other = Snippet("lsp_server/cli.py", "COMMANDS = {\n") if number % 5 == 1 else None
            source = Source(text[:start], text[end:], path, repository, (other,) if other else ())
            yield source, text[start:end], BUDGETS[number % 2]
    yield from ((Source(before, after), "middle", WHOLE) for before, after in ODD)


def count_by(runtime: Runtime):
    return lambda texts: [len(runtime.vocabulary.tokenize(text)) for text in texts]


def test_a_healed_samples_prompt_is_what_the_engine_keeps(runtime, tokenizer):
    healed = 0
    for source, middle, budget in cursors():
        prompt = assemble(source, STARTER, budget, count_by(runtime))
        kept, required = heal(runtime, segment_tokens(runtime, prompt.segments))
        sample = fim_sample(
            source, middle, STARTER, budget, tokenizer, end=tokenizer.ids[END], heal=True
        )
        answer = runtime.vocabulary.tokenize(required.decode() + middle)
        assert list(sample.tokens[: sample.answer]) == kept, source.before[-40:]
        assert list(sample.tokens[sample.answer :]) == [*answer, runtime.special(END)]
        healed += bool(required)
    assert healed > 25


def test_an_unhealed_samples_prompt_is_what_other_engines_read(runtime, tokenizer):
    for source, middle, budget in cursors():
        prompt = assemble(source, STARTER, budget, count_by(runtime))
        sample = fim_sample(
            source, middle, STARTER, budget, tokenizer, end=tokenizer.ids[END], heal=False
        )
        expected = segment_tokens(runtime, prompt.segments).tokens
        assert list(sample.tokens[: sample.answer]) == expected
        assert list(sample.tokens[sample.answer : -1]) == runtime.vocabulary.tokenize(middle)


def test_lines_cost_the_same_tokens(runtime, tokenizer):
    lines = (PACKAGE / FILES[0]).read_text(encoding="utf-8").splitlines(keepends=True)
    assert tokenizer.count(lines) == count_by(runtime)(lines)


def test_the_answers_end_is_where_the_engine_stops(runtime):
    assert runtime.special(END) in runtime.vocabulary.ends
    assert END in STARTER.stops


class RecordingEngine(FakeEngine):
    """Counts with the model's own vocabulary, and answers nothing."""

    def __init__(self, runtime: Runtime) -> None:
        super().__init__(info=EngineInfo("starter", STARTER, 2048, 900.0, 60.0))
        self.count = count_by(runtime)

    async def count_tokens(self, texts):
        return self.count(texts)


def repository(tokenizer: TextTokenizer, engine: RecordingEngine) -> Dataset:
    """Samples of this very package, each as large and with as much context as when it serves."""
    paths = (
        path for room in ("prompt", "completion") for path in sorted((PACKAGE / room).iterdir())
    )
    texts = {f"lsp_server/{path.parent.name}/{path.name}": path.read_text(encoding="utf-8")
             for path in paths if path.suffix == ".py"}  # fmt: skip
    files = [RepositoryFile(path, "python", text, "", 0.0) for path, text in texts.items()]
    outlines = [(file, outline(file.text)) for file in files]
    return Dataset(
        Codebase(
            "tenon",
            [TrainingFile(CuratedFile.of(file, found)) for file, found in outlines if found],
            RepositoryIndex.of_files(files),
        ),
        None,
        SampleMix(context=1.0, replay=0.0, smallest=1.0),
        Terms(STARTER, tokenizer, budget_for(engine.served, LATENCY_TARGET_MS), tokenizer.ids[END]),
    )


async def test_a_datasets_sample_is_what_the_provider_asks_for_at_its_cursor(runtime, tokenizer):
    engine = RecordingEngine(runtime)
    dataset = repository(tokenizer, engine)
    provider = CompletionProvider()
    compared = with_others = with_own = 0
    for number in range(40):
        example, sample = dataset.example(number), dataset.sample(number)
        source = Source(example.before, example.after, example.path, example.repository)
        query = Query(f"file:///{number}", source, False, index=dataset.repository.index)
        asked = len(engine.requests)
        await provider.complete(query, engine)
        if len(engine.requests) == asked:
            continue  # the server does not complete at such a place
        kept, required = heal(runtime, segment_tokens(runtime, engine.requests[-1].prompt.segments))
        assert list(sample.tokens[: sample.answer]) == kept, example
        answer = runtime.vocabulary.tokenize(required.decode() + example.middle)
        assert list(sample.tokens[sample.answer :]) == [*answer, runtime.special(END)]
        compared += 1
        with_others += any(snippet.path != example.path for snippet in example.snippets)
        with_own += any(snippet.path == example.path for snippet in example.snippets)
    assert compared > 30
    assert with_others > 20
    assert with_own > 3
