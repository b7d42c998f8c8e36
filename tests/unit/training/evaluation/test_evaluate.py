"""The loop over an engine that answers from a script."""

import asyncio
from dataclasses import replace

import pytest

from lsp_server.errors import EngineRequestError, EngineUnavailableError
from lsp_server.prompt.assemble import Snippet
from lsp_server.prompt.formats import FORMATS, Special, Text
from lsp_server.store.files import RepositoryFile
from lsp_server.store.index import RepositoryIndex
from tests.fakes import QWEN_INFO, FakeEngine
from training.evaluation.asking import function_end
from training.evaluation.evaluate import EvaluationOptions, evaluate
from training.evaluation.examples import FimExample
from training.evaluation.execution import Limits
from training.evaluation.metrics import Result

EXAMPLE = FimExample("a", "def double(x):\n", "    return y\n", "    y = 2 * x\n")


class ScoringEngine(FakeEngine):
    """Scores every answer as two tokens, if it fits the context behind its prompt."""

    async def score_answer(self, prompt, answer, **_how):
        self.scored = (prompt, answer)
        texts = [entry.text for entry in prompt.segments if isinstance(entry, Text)]
        if sum(await self.count_tokens([*texts, answer])) >= self.served.context:
            raise EngineRequestError("too long", param="prompt")
        return [-1.0, -0.5]


async def ask(engine: FakeEngine, *examples: FimExample, **options) -> list[Result]:
    results: list[Result] = []
    await evaluate(engine, examples, EvaluationOptions(**options), None, results.append)
    return results


def texts(engine: FakeEngine) -> list[str]:
    return [entry.text for entry in engine.requests[-1].prompt.segments if isinstance(entry, Text)]


async def test_an_answer_with_its_scores():
    engine = ScoringEngine("    y = x + x\n")
    (result,) = await ask(engine, EXAMPLE)
    assert result.answers[0].text == "    y = x + x\n"
    assert result.answers[0].stopped
    assert (result.logprob, result.tokens) == (-1.5, 2)
    assert engine.scored == (engine.requests[0].prompt, EXAMPLE.middle)
    request = engine.requests[0]
    assert request.prompt.segments[0] == Special("<|fim_prefix|>")
    assert (request.max_tokens, request.temperature, request.priority) == (96, 0.0, 1)
    assert request.heal


async def test_an_answer_that_was_cut_has_not_stopped():
    (result,) = await ask(ScoringEngine("x", finish="length"), EXAMPLE, nll=False)
    assert not result.answers[0].stopped
    assert result.tokens == 0


async def test_the_layout_is_the_familys_own_tokens_in_another_order():
    engine = ScoringEngine()
    await ask(engine, EXAMPLE, layout="spm")
    assert texts(engine) == [EXAMPLE.suffix, EXAMPLE.prefix]
    await ask(engine, EXAMPLE, layout="plain")
    assert texts(engine) == [EXAMPLE.prefix]


async def test_samples_differ_by_their_seed():
    engine = ScoringEngine(lambda request: f"y{request.seed}")
    (result,) = await ask(engine, EXAMPLE, samples=3, temperature=0.8, seed=7)
    assert [answer.text for answer in result.answers] == ["y7", "y8", "y9"]
    assert {request.temperature for request in engine.requests} == {0.8}


async def test_neighbours_that_begin_alike_follow_each_other():
    heads = ["def b():\n", "def a():\n", "def b():\n    x = 1\n", "def a():\n    x = 1\n"]
    examples = [FimExample(str(n), head, "", "x") for n, head in enumerate(heads)]
    results = await ask(ScoringEngine(), *examples)
    assert [result.id for result in results] == ["1", "3", "0", "2"]


async def test_a_function_is_continued_from_its_head_until_it_ends():
    engine = ScoringEngine("    return 2 * x\n\n\nprint(double(2))\n")
    example = FimExample("f", "def double(x):\n", "", "    return x + x\n", function=True)
    (result,) = await ask(engine, example)
    assert result.answers[0].text == "    return 2 * x\n\n\n"
    assert result.answers[0].stopped is None
    assert engine.requests[0].max_tokens == 384
    assert engine.requests[0].prompt.segments == (Text("def double(x):\n"),)
    assert engine.closed_streams == 1


async def test_of_a_function_nobody_says_whether_the_model_stopped():
    example = FimExample("f", "def double(x):\n", "", "    return x + x\n", function=True)
    (result,) = await ask(ScoringEngine("    return 2 * x\n"), example)
    assert result.answers[0].stopped is None


@pytest.mark.parametrize(
    ("text", "end"),
    [("", None), ("    x\n", None), ("    x\n\n  y", None), ("    x\ny", 6), ("x", 0), ("\n#", 1)],
)
def test_where_a_function_ends(text: str, end: int | None):
    assert function_end(text) == end


async def test_answers_are_judged_by_the_tests():
    example = replace(EXAMPLE, tests="assert double(2) == 4\n")
    right = await ask(ScoringEngine(EXAMPLE.middle), example, limits=Limits())
    wrong = await ask(ScoringEngine("    y = x\n"), example, limits=Limits())
    untested = await ask(ScoringEngine("    y = x\n"), EXAMPLE, limits=Limits())
    assert [r[0].answers[0].passed for r in (right, wrong, untested)] == [True, False, None]


async def test_the_engine_goes_on_while_programs_run():
    slow = FimExample("slow", "", "", "0", tests="import time\ntime.sleep(2)\n")
    others = [FimExample(str(n), f"# {n}\n", "", "0") for n in range(4)]
    results = await ask(ScoringEngine("0"), slow, *others, limits=Limits())
    assert [result.id for result in results] == ["0", "1", "2", "3", "slow"]
    assert results[-1].answers[0].passed


async def test_other_files_are_snippets_where_the_family_marks_them():
    example = replace(EXAMPLE, context=(Snippet("a.py", "A = 1"),), path="b.py", repository="r")
    engine = ScoringEngine()
    await ask(engine, example, context=True)
    assert "a.py\nA = 1\n" in texts(engine)
    await ask(engine, example, context=False)
    assert "A = 1" not in "".join(texts(engine))
    plain = ScoringEngine(info=replace(QWEN_INFO, fim=FORMATS["granite-code"]))
    await ask(plain, example, context=True)
    assert texts(plain)[0] == "A = 1\n" + EXAMPLE.prefix


async def test_other_files_are_looked_up_where_the_data_set_has_whole_repositories():
    other = RepositoryFile("lib.py", "python", "def double_all(rows):\n    ...\n", "", 0.0)
    own = RepositoryFile("b.py", "python", "def double_all(rows): own\n", "", 0.0)
    index = RepositoryIndex.of_files([other, own])
    prefix = "from lib import double_all\n" + "\n" * 8 + "double_all(1)\n"
    example = replace(EXAMPLE, prefix=prefix, path="b.py", repository="r")
    engine = ScoringEngine()
    for context in (False, True):
        options = EvaluationOptions(context=context)
        await evaluate(engine, [example], options, None, print, indexes={"r": index})
        assert ("lib.py\ndef double_all(rows):\n    ...\n" in texts(engine)) is context
        assert "own" not in "".join(texts(engine))
    await evaluate(engine, [replace(example, repository="s")], options, None, print, indexes={})
    assert "lib.py" not in "".join(texts(engine)).replace("from lib", "")


async def test_the_document_itself_is_a_snippet_only_where_the_prompt_does_not_show_it():
    far = "".join(f"measure(far_column_{number})\n" for number in range(10))
    filler = "".join(f"value_{number} = compute({number})\n" for number in range(600))
    near = far.replace("far", "seen") + filler[:5_000] + "\nmeasure(row)\n" + "\n" * 9
    example = FimExample("a", far + filler + near, "", "x", path="b.py", repository="r")
    index = RepositoryIndex.of_files([RepositoryFile("lib.py", "python", "import os\n", "", 0.0)])
    engine, options = ScoringEngine(), EvaluationOptions(context=True)
    await evaluate(engine, [example], options, None, print, indexes={"r": index})
    *snippets, prompt = texts(engine)
    assert "far_column" in "".join(snippets)
    assert "far_column" not in prompt
    assert "seen_column" in prompt
    assert "seen_column" not in "".join(snippets)


async def test_long_texts_are_cut_to_the_engines_context_or_to_what_is_asked():
    long = FimExample("a", "x = 1\n" * 9000, "y = 2\n" * 9000, "z = 3\n")
    engine = ScoringEngine()
    await ask(engine, long)
    whole = sum(await engine.count_tokens("".join(texts(engine)).splitlines(keepends=True)))
    assert 2500 < whole < 4096 - 96
    await ask(engine, long, prompt_tokens=300)
    part = sum(await engine.count_tokens("".join(texts(engine)).splitlines(keepends=True)))
    assert 100 < part <= 300


async def test_a_truth_longer_than_an_answer_has_its_room():
    long = FimExample("a", "x = 100\n" * 9000, "y = 200\n" * 9000, "z = 300\n" * 900)
    engine = ScoringEngine()
    (result,) = await ask(engine, long)
    assert result.tokens == 2
    assert engine.requests[0].max_tokens == 384


async def test_a_truth_that_fits_nowhere_is_not_scored_and_ends_nothing():
    long = FimExample("a", "x = 100\n" * 9000, "", "z = 300\n" * 9000)
    engine = ScoringEngine("z = 300\n")
    first, second = await ask(engine, long, EXAMPLE)
    assert [result.tokens for result in (first, second)] == [2, 0]
    assert second.answers[0].text == "z = 300\n"
    (text,) = [text for text in texts(engine) if "x = 100" in text]
    assert sum(await engine.count_tokens(text.splitlines(keepends=True))) > 2000


async def test_an_engine_that_cannot_score_is_no_long_truth():
    engine = ScoringEngine()

    async def refuse(*_what, **_how):
        raise EngineRequestError("does not score")

    engine.score_answer = refuse
    with pytest.raises(EngineRequestError, match="does not score"):
        await ask(engine, EXAMPLE)


async def test_an_engine_that_fails_ends_the_run_with_its_reason():
    with pytest.raises(EngineUnavailableError, match="gone"):
        await ask(ScoringEngine(error=EngineUnavailableError("gone")), EXAMPLE, limits=Limits())


async def test_who_is_interrupted_keeps_what_was_measured():
    engine = ScoringEngine("x")
    examples = [replace(EXAMPLE, id=str(n)) for n in range(50)]
    results: list[Result] = []

    def done(result: Result) -> None:
        results.append(result)
        if len(results) == 3:
            engine.blocked.clear()
            task.cancel()

    task = asyncio.create_task(evaluate(engine, examples, EvaluationOptions(), None, done))
    with pytest.raises(asyncio.CancelledError):
        await task
    assert len(results) == 3
    assert engine.open_streams == 0
