from dataclasses import replace

import pytest
from lsprotocol import types

from lsp_server.completion.reasons import Reason
from lsp_server.edits import Request
from lsp_server.engine.supervisor import EngineState
from lsp_server.errors import EngineUnavailableError
from lsp_server.prompt.assemble import Snippet, Source, assemble
from lsp_server.prompt.formats import FORMATS, Special
from lsp_server.prompt.window import Budget
from lsp_server.protocol import Segment
from lsp_server.session.explaining import KEPT, places_of, segments_of
from lsp_server.session.session import Session
from tests.fakes import FakeEngine
from tests.unit.session.test_session import FakeEngines, request, session_with


async def test_an_answer_tells_its_prompt_and_what_became_of_the_raw_text():
    session = session_with(FakeEngine("1\nmore\n", piece=5))
    await session.complete(request("x = ‸\ny = 2\n", path="/home/a.py", roots=("/home",)))
    why = session.explanations.last()
    assert (why.reason, why.answered_by, why.model) == ("shown", "engine", "qwen")
    assert (why.path, why.line, why.text) == ("a.py", 1, "1")
    assert why.raw.startswith("1\n")
    assert why.filters == (f"cut at extent: {len(why.raw) - 1} characters left out",)
    assert Segment("prefix", "x = ") in why.segments
    assert Segment("suffix", "\ny = 2\n") in why.segments
    assert why.segments[0].kind == "token"
    assert {"window_ms", "engine_ms", "total_ms"} <= why.timings.keys()


async def test_a_dropped_answer_names_the_filter():
    session = session_with(FakeEngine("b = 22222222\n"))
    await session.complete(request("a = 1\n‸\nb = 22222222\n"))
    why = session.explanations.last()
    assert (why.reason, why.text, why.answered_by) == ("duplicate", "", "engine")
    assert why.filters[-1] == "cut at text below: nothing is left"
    assert why.raw == "b = 22222222\n"[: len(why.raw)]


async def test_an_answer_out_of_the_cache_shows_the_prompt_that_it_was_made_from():
    session = session_with(FakeEngine("12345\n"))
    await session.complete(request("x = ‸\n"))
    first = session.explanations.last()
    await session.complete(request("x = 12‸\n"))
    why = session.explanations.last()
    assert (why.reason, why.answered_by, why.text) == ("cache", "cache", "345")
    assert (why.segments, why.raw) == (first.segments, first.raw)


async def test_no_answer_has_its_reason_too():
    session = session_with(FakeEngine("1"))
    session.configure({"enabled": False})
    await session.complete(request("x = ‸"))
    why = session.explanations.last()
    assert (why.reason, why.answered_by, why.segments) == ("disabled", "nobody", ())
    assert why.sentence == Reason.DISABLED.sentence


async def test_a_failure_says_what_the_engine_said():
    session = session_with(FakeEngine(error=EngineUnavailableError("it is gone")))
    await session.complete(request("x = ‸"))
    why = session.explanations.last()
    assert (why.reason, why.answered_by) == ("engine_unavailable", "nobody")
    assert "it is gone" in why.sentence


async def test_documents_are_told_apart_and_few_are_kept():
    session = session_with(FakeEngine("1"))
    for number in range(KEPT + 1):
        await session.complete(replace(request("x = ‸"), uri=f"file:///w/{number}.py"))
    assert session.explanations.last("file:///w/5.py") is not None
    assert session.explanations.last("file:///w/0.py") is None
    assert session.explanations.last("file:///w").path == "file:///w/20.py"
    assert session.explanations.last("file:///other") is None


def test_a_session_that_was_asked_nothing_explains_nothing():
    assert Session(lambda _: None).explanations.last() is None


async def test_where_an_engine_starts():
    session = Session(lambda _: None)
    session.engines = FakeEngines(None, EngineState.STARTING)
    await session.complete(Request("file:///a.py", "x = ", types.Position(0, 4)))
    assert session.explanations.last().reason == "engine_starting"


@pytest.mark.parametrize("name", sorted(FORMATS))
def test_segments_read_as_the_prompt_does(name):
    fim = FORMATS[name]
    snippets = (Snippet("b.py", "def b(): ...\n", (3, 9)), Snippet("c.py", "C = 1\n"))
    source = Source("x = ", "\ny\n", "a.py", "app", snippets)
    prompt = assemble(source, fim, Budget(100, 50, 10, 50), lambda lines: [1] * len(lines))
    whole = "".join(
        entry.token if isinstance(entry, Special) else entry.text for entry in prompt.segments
    )
    segments = segments_of(prompt)
    assert "".join(segment.text for segment in segments) == whole
    kinds = {segment.kind for segment in segments}
    assert "prefix" in kinds
    assert ("snippet" in kinds) == (fim.repository is not None)


def test_places_name_every_piece_best_file_first():
    snippets = (Snippet("b.py", "", (3, 9)), Snippet("c.py", ""), Snippet("d.py", "", (1,)))
    assert places_of(snippets) == ("d.py:1", "c.py", "b.py:3", "b.py:9")
