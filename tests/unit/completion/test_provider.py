import asyncio
import dataclasses

import pytest

from lsp_server.completion import drafting
from lsp_server.completion.engine import EngineInfo
from lsp_server.completion.provider import CompletionProvider, ProviderOptions, Query
from lsp_server.completion.reasons import Reason
from lsp_server.errors import EngineRequestError, EngineUnavailableError
from lsp_server.prompt.assemble import Source
from lsp_server.prompt.formats import PLAIN
from lsp_server.prompt.snippets import Definition, Place
from tests.fakes import QWEN_INFO, FakeEngine

URI = "file:///home/dev/a.py"


def query(document, *, uri=URI, automatic=True, adapter=None):
    before, after = document.split("‸")
    return Query(uri, Source(before, after, "a.py", "work"), automatic, adapter)


async def test_an_answer_comes_from_the_engine_with_its_reason_and_model():
    engine = FakeEngine("1\ny = 2\n")
    completion = await CompletionProvider().complete(query("x = ‸\n"), engine)
    assert (completion.text, completion.reason) == ("1", Reason.SHOWN)
    assert completion.model == "qwen"
    assert {"window_ms", "first_ms", "engine_ms", "total_ms"} <= completion.timings.keys()


async def test_the_prompt_holds_the_path_and_both_sides_of_the_cursor():
    engine = FakeEngine("1")
    await CompletionProvider().complete(query("before = ‸\nafter = 2\n"), engine)
    assert engine.prompt_text() == "work\n|a.py\n|before = |\nafter = 2\n"
    assert engine.requests[0].cache_key == URI
    assert engine.requests[0].heal


async def test_a_prefix_only_model_is_not_shown_the_text_below():
    engine = FakeEngine("1", info=EngineInfo("plain", PLAIN, 2048))
    await CompletionProvider().complete(query("before = ‸\nafter = 2\n"), engine)
    assert engine.prompt_text() == "before = "


async def test_the_stream_is_closed_as_soon_as_the_answer_is_complete():
    engine = FakeEngine("value\n" + "more text that nobody waits for\n" * 20)
    completion = await CompletionProvider().complete(query("x = ‸\n"), engine)
    assert completion.text == "value"
    assert engine.sent == "value\n"
    assert (engine.open_streams, engine.closed_streams) == (0, 1)


async def test_typing_along_an_answer_asks_the_engine_once():
    engine, provider = FakeEngine("value + 1\n"), CompletionProvider()
    await provider.complete(query("x = ‸\n"), engine)
    completion = await provider.complete(query("x = val‸\n"), engine)
    assert (completion.text, completion.reason) == ("ue + 1", Reason.CACHE)
    assert len(engine.requests) == 1


async def test_that_there_is_nothing_to_say_is_remembered():
    engine, provider = FakeEngine(""), CompletionProvider()
    reasons = [(await provider.complete(query("x = ‸\n"), engine)).reason for _ in range(2)]
    assert reasons == [Reason.EMPTY, Reason.EMPTY]
    assert len(engine.requests) == 1


@pytest.mark.parametrize(
    ("asked", "reason"),
    [
        ({}, Reason.UNSURE),
        ({"automatic": False}, Reason.SHOWN),  # who asks by hand sees what there is
        ({"adapter": "mine"}, Reason.UNSURE),
        ({"adapter": "mine", "least": -5.0}, Reason.SHOWN),
        ({"least": -5.0}, Reason.UNSURE),  # what was measured for an adapter that does not answer
    ],
)
async def test_an_answer_that_the_model_thought_unlikely_is_not_shown(asked, reason):
    info = dataclasses.replace(QWEN_INFO, least_confidence=-0.5)
    engine = FakeEngine("value\n", info=info, token_logprob=-1.0)
    least = asked.pop("least", None)
    wanted = dataclasses.replace(query("x = ‸\n", **asked), least_confidence=least)
    completion = await CompletionProvider().complete(wanted, engine)
    assert completion.reason is reason
    if reason is Reason.UNSURE:
        assert completion.trace.steps[-1] == "cut unsure lines: nothing is left"


async def test_an_unlikely_answer_is_shown_once_enough_of_it_is_typed():
    info = dataclasses.replace(QWEN_INFO, least_confidence=-3.0)
    engine = FakeEngine("value + 1\n", info=info, token_logprob=-1.0)  # four pieces
    provider = CompletionProvider()
    seen = []
    for document in ("x = ‸\n", "x = v‸\n", "x = value‸\n", "x = value +‸\n"):
        completion = await provider.complete(query(document), engine)
        seen.append((completion.text, completion.reason))
    unsure = ("", Reason.UNSURE)
    assert seen == [unsure, unsure, (" + 1", Reason.CACHE), (" 1", Reason.CACHE)]
    assert len(engine.requests) == 1
    by_hand = await provider.complete(query("x = ‸\n", automatic=False), engine)
    assert (by_hand.text, by_hand.reason) == ("value + 1", Reason.SHOWN)


async def test_by_hand_lines_are_shown_that_were_left_out_before():
    info = dataclasses.replace(QWEN_INFO, least_confidence=-4.5)
    engine = FakeEngine("\n    a()\n    b()\n", info=info, token_logprob=-1.0)
    provider = CompletionProvider()
    unasked = await provider.complete(query("def f():‸\n"), engine)
    assert unasked.text == "\n    a()"
    by_hand = await provider.complete(query("def f():‸\n", automatic=False), engine)
    assert (by_hand.text, by_hand.reason) == ("\n    a()\n    b()", Reason.SHOWN)


async def test_another_adapter_is_asked_anew():
    engine, provider = FakeEngine("1"), CompletionProvider()
    await provider.complete(query("x = ‸\n"), engine)
    completion = await provider.complete(query("x = ‸\n", adapter="mine"), engine)
    assert (completion.reason, completion.adapter) == (Reason.SHOWN, "mine")
    assert engine.requests[1].adapter == "mine"


async def test_whoever_switches_back_finds_that_adapters_own_answer():
    engine, provider = FakeEngine("1"), CompletionProvider()
    for adapter, said in (("one", "1"), ("two", "2"), (None, "3")):
        engine.answer = said
        await provider.complete(query("x = ‸\n", adapter=adapter), engine)
    for adapter, said in (("one", "1"), (None, "3"), ("two", "2")):
        completion = await provider.complete(query("x = ‸\n", adapter=adapter), engine)
        assert (completion.reason, completion.text) == (Reason.CACHE, said)
        assert completion.adapter == adapter
    assert len(engine.requests) == 3


async def test_other_options_forget_old_answers():
    engine, provider = FakeEngine("\n    a()\n    b()\n"), CompletionProvider()
    await provider.complete(query("def f():‸\n"), engine)
    provider.configure(ProviderOptions(multiline="never"))
    completion = await provider.complete(query("def f():‸\n"), engine)
    assert (completion.text, completion.reason) == ("\n    a()", Reason.SHOWN)


LONG = "".join(f"value_{number} = {number}\n" for number in range(1000))
"""More than any window holds: where it is cut depends on what its lines count."""


async def test_lines_are_counted_once():
    engine, provider = FakeEngine("1"), CompletionProvider()
    for typed in ("x = ‸\n", "xy = ‸\n", "x = 1\ny = ‸\n"):
        await provider.complete(query(LONG + typed), engine)
    assert len(engine.requests) == 3
    assert len(engine.counted[0]) > 100
    assert engine.counted[1:] in ([], [["x = 1\n"]])


async def test_lines_that_fit_in_any_case_are_not_counted():
    engine, provider = FakeEngine("1"), CompletionProvider()
    await provider.complete(query("a = 1\nb = 2\nx = ‸\n"), engine)
    assert not engine.counted


async def test_another_model_counts_its_own_tokens():
    engine, provider = FakeEngine("1"), CompletionProvider()
    await provider.complete(query(f"{LONG}x = ‸\n"), engine)
    engine.served = EngineInfo("other", QWEN_INFO.fim, 4096, 1000.0, 50.0)
    await provider.complete(query(f"{LONG}x = ‸\n"), engine)
    assert engine.counted[0] == engine.counted[1]


@pytest.mark.parametrize(
    ("document", "options", "one_line"),
    [
        ("x = ‸\n", {}, True),
        ("def f():‸\n", {}, False),
        ("def f():‸\n", {"max_lines": 1}, True),
        ("f(‸, 1)\n", {}, False),  # ends where its stop is
    ],
)
async def test_the_engine_is_told_where_one_line_is_all_that_is_needed(document, options, one_line):
    engine = FakeEngine("1\n")
    await CompletionProvider(ProviderOptions(**options)).complete(query(document), engine)
    assert engine.requests[0].one_line is one_line


async def test_the_newest_request_of_a_document_wins():
    engine, provider = FakeEngine("1"), CompletionProvider()
    engine.blocked.clear()
    older = asyncio.create_task(provider.complete(query("x = ‸\n"), engine))
    await engine.streaming.wait()
    newer = asyncio.create_task(provider.complete(query("xy = ‸\n"), engine))
    assert (await older).reason is Reason.SUPERSEDED
    assert engine.closed_streams == 1
    engine.blocked.set()
    assert (await newer).reason is Reason.SHOWN


async def test_requests_of_two_documents_do_not_disturb_each_other():
    engine, provider = FakeEngine("1"), CompletionProvider()
    engine.blocked.clear()
    tasks = [
        asyncio.create_task(provider.complete(query("x = ‸\n", uri=uri), engine))
        for uri in ("file:///a", "file:///b")
    ]
    while engine.open_streams < 2:  # noqa: ASYNC110 - there is no event for the second one
        await asyncio.sleep(0)
    engine.blocked.set()
    assert [(await task).reason for task in tasks] == [Reason.SHOWN, Reason.SHOWN]


async def test_engine_trouble_is_a_reason_and_keeps_its_error():
    error = EngineUnavailableError("gone")
    engine = FakeEngine(error=error)
    completion = await CompletionProvider().complete(query("x = ‸\n"), engine)
    assert (completion.text, completion.reason) == ("", Reason.ENGINE_UNAVAILABLE)
    assert completion.error is error


async def test_without_an_engine_the_reason_is_the_callers():
    completion = await CompletionProvider().complete(
        query("x = ‸\n"), None, absent=Reason.ENGINE_STARTING
    )
    assert completion.reason is Reason.ENGINE_STARTING


async def test_a_cached_answer_needs_no_engine():
    engine, provider = FakeEngine("value\n"), CompletionProvider()
    await provider.complete(query("x = ‸\n"), engine)
    completion = await provider.complete(query("x = v‸\n"), None)
    assert (completion.text, completion.reason) == ("alue", Reason.CACHE)


async def test_refused_requests_do_not_reach_the_engine():
    engine = FakeEngine("1")
    completion = await CompletionProvider().complete(query("re‸turn\n"), engine)
    assert completion.reason is Reason.MID_WORD
    assert engine.requests == []


async def test_by_hand_a_word_is_completed_in_its_middle():
    engine = FakeEngine("sult = 1\n")
    completion = await CompletionProvider().complete(query("re‸ x\n", automatic=False), engine)
    assert completion.reason is Reason.SHOWN
    assert engine.requests[0].stop == ("\n",)


async def test_an_answer_that_the_token_limit_cut_off_loses_its_broken_line():
    engine = FakeEngine("\n    a()\n    b(unfin", finish="length")
    completion = await CompletionProvider().complete(query("def f():‸\n"), engine)
    assert completion.text == "\n    a()"


async def test_a_model_switched_under_way_is_asked_in_its_own_format():
    class Switching(FakeEngine):
        async def generate(self, request):
            if self.served is QWEN_INFO:
                self.served = EngineInfo("plain", PLAIN, 4096)
                raise EngineRequestError("no such model", status=404, param="model")
            async for chunk in super().generate(request):
                yield chunk

    engine = Switching("1")
    completion = await CompletionProvider().complete(query("x = ‸\nbelow\n"), engine)
    assert (completion.text, completion.model) == ("1", "plain")
    assert engine.prompt_text() == "x = "


async def test_a_request_names_the_model_whose_format_its_prompt_is_in():
    class Switching(FakeEngine):
        async def count_tokens(self, texts):
            self.served = EngineInfo("plain", PLAIN, 4096)  # as some other window's look finds
            return await super().count_tokens(texts)

    engine = Switching("1")
    await CompletionProvider().complete(query("x = ‸\n"), engine)
    assert (engine.requests[0].model, engine.prompt_text()[:5]) == ("qwen", "work\n")


async def test_a_request_that_is_refused_for_good_is_not_repeated():
    error = EngineRequestError("no such model", status=404, param="model")
    engine = FakeEngine(error=error)
    completion = await CompletionProvider().complete(query("x = ‸\n"), engine)
    assert (completion.reason, completion.error) == (Reason.ENGINE_UNAVAILABLE, error)
    assert len(engine.requests) == 2


async def test_a_speed_that_wavers_does_not_move_the_window():
    lines = "".join(f"value_{number} = {number}\n" for number in range(2000))
    engine, provider = FakeEngine("1"), CompletionProvider()
    prompts = []
    for number, speed in enumerate((1000.0, 1130.0, 3000.0)):
        engine.served = dataclasses.replace(QWEN_INFO, prefill_speed=speed)
        await provider.complete(query(f"{lines}x{number} = ‸\n"), engine)
        _repository, _path, prefix, _suffix = engine.prompt_text().split("|")
        prompts.append(prefix.partition("\n")[0])
    assert prompts[0] == prompts[1] != prompts[2]


class FakeIndex:
    """Knows one definition, of whatever it is asked for."""

    def __init__(self):
        self.asked = 0

    def current(self, exclude):
        return self.version(exclude)

    def version(self, exclude):
        return 1

    def places(self, names, exclude):
        self.asked += 1
        return [Place("helper", "helper", "function", "lib.py", 0, 1)] if "helper" in names else []

    def definition(self, place):
        return Definition("def helper():\n    return 1", "")

    def search(self, terms, exclude, limit):
        return []

    def rarity(self, terms):
        return dict.fromkeys(terms, 1.0)


IMPORTING = "from lib import helper\n" + "\n" * 8 + "helper()\n‸\n"


async def test_other_files_stand_before_the_one_at_hand():
    engine, index = FakeEngine("1"), FakeIndex()
    asked = dataclasses.replace(query(IMPORTING), index=index)
    completion = await CompletionProvider().complete(asked, engine)
    whole = "work\n|lib.py\ndef helper():\n    return 1\n|a.py\n|from lib import helper\n"
    assert engine.prompt_text().startswith(whole)
    assert "snippets_ms" in completion.timings


async def test_a_model_that_cannot_be_shown_other_files_costs_no_look():
    index = FakeIndex()
    plain = FakeEngine("1", info=EngineInfo("plain", PLAIN, 2048))
    await CompletionProvider().complete(dataclasses.replace(query(IMPORTING), index=index), plain)
    assert index.asked == 0
    assert "helper():" not in plain.prompt_text()


async def test_what_was_found_for_one_model_is_not_remembered_for_another():
    provider, other = CompletionProvider(), drafting._Measured("other")

    class Shared(FakeEngine):
        async def count_tokens(self, texts):
            provider._drafting._measured = other  # another document's prompt comes between
            return await super().count_tokens(texts)

    asked = dataclasses.replace(query(IMPORTING), index=FakeIndex())
    await provider.complete(asked, Shared("1"))
    assert not other.recall._found


async def test_without_an_index_the_prefix_has_all_the_room():
    text = "value = compute(1)\n" * 400 + "x = ‸"
    without, beside = FakeEngine("1"), FakeEngine("1")
    await CompletionProvider().complete(query(text), without)
    indexed = dataclasses.replace(query(text), index=FakeIndex())
    await CompletionProvider().complete(indexed, beside)
    assert len(without.prompt_text()) > len(beside.prompt_text())


async def test_snippets_of_the_document_itself_are_what_the_prompt_does_not_show():
    far = "".join(f"measure(far_column_{number})\n" for number in range(10))
    seen = far.replace("far", "seen")
    filler = "".join(f"value_{number} = compute({number})\n" for number in range(600))
    text = f"{far}{filler}{seen}{filler[:5_000]}\n{'measure(row)' * 3}\n" + "\n" * 9 + "‸\n"
    engine = FakeEngine("1")
    asked = dataclasses.replace(query(text), index=FakeIndex())
    await CompletionProvider(ProviderOptions(latency_target_ms=1200)).complete(asked, engine)
    parts = engine.prompt_text().split("|")
    window, snippets = parts[-2], "".join(parts[:-2])
    assert "far_column" in snippets
    assert "far_column" not in window
    assert "seen_column" in window
    assert "seen_column" not in snippets


async def test_an_adapter_that_the_engine_does_not_know_leaves_the_base_to_answer():
    class Restarted(FakeEngine):
        async def generate(self, request):
            if request.adapter is not None:
                raise EngineRequestError("no such model", status=404, param="model")
            async for chunk in super().generate(request):
                yield chunk

    engine = Restarted("1")
    completion = await CompletionProvider().complete(query("x = ‸\n", adapter="mine"), engine)
    assert (completion.text, completion.adapter) == ("1", None)
