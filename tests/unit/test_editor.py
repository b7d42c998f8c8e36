import asyncio
from concurrent.futures import Future

import pytest
from lsprotocol import types
from pygls.exceptions import JsonRpcMethodNotFound

from lsp_server.editor import LspEditor


class FakeProgress:
    def __init__(self):
        self.tokens = {}
        self.refusal = None
        self.sent = []

    async def create_async(self, token):
        if self.refusal is not None:
            await self.refusal()
        self.tokens[token] = Future()

    def begin(self, token, value):
        self.sent.append(value)

    report = end = begin


class FakeServer:
    def __init__(self, *, can_show=True, answer=None):
        window = types.WindowClientCapabilities(work_done_progress=can_show)
        self.client_capabilities = types.ClientCapabilities(window=window)
        self.work_done_progress = FakeProgress()
        self.answer = answer

    async def window_show_message_request_async(self, params):
        if isinstance(self.answer, Exception):
            raise self.answer
        return types.MessageActionItem(self.answer) if self.answer else None


@pytest.mark.parametrize(
    ("said", "shows"),
    [
        (None, False),
        ({}, False),
        ({"tenonShowsTrainer": True}, True),
        ({"tenonShowsTrainer": 1}, False),
        ("odd", False),
    ],
)
def test_an_editor_says_whether_it_shows_runs_itself(said, shows):
    server = FakeServer()
    server.client_capabilities.experimental = said
    assert LspEditor(server).shows_trainer is shows


async def test_progress_is_shown_in_steps_of_a_percent_and_ended():
    server = FakeServer()
    async with LspEditor(server).progress("downloading") as progress:

        def download():
            for done in range(0, 100_000_001, 10_000):
                progress.report(done, 100_000_000)
            progress.report(5, None)

        await asyncio.to_thread(download)
        await asyncio.sleep(0)
    begin, *reports, end = server.work_done_progress.sent
    assert (begin.title, end.message) == ("downloading", "done")
    percentages = [report.percentage for report in reports]
    assert percentages[-1] == 100
    assert percentages == sorted(set(percentages))


async def test_the_users_stop_reaches_the_download():
    server = FakeServer()
    async with LspEditor(server).progress("downloading") as progress:
        assert not progress.cancelled.is_set()
        [token] = server.work_done_progress.tokens.values()
        token.cancel()
        assert progress.cancelled.is_set()


async def test_an_editor_without_progress_is_sent_none():
    server = FakeServer(can_show=False)
    async with LspEditor(server).progress("downloading") as progress:
        progress.report(1, 2)
    assert server.work_done_progress.sent == []


async def refuse():
    raise JsonRpcMethodNotFound


@pytest.mark.parametrize("refusal", [refuse, asyncio.Event().wait])
async def test_an_editor_that_agrees_to_no_token_is_sent_no_progress(monkeypatch, refusal):
    monkeypatch.setattr("lsp_server.editor.ANSWER_SECONDS", 0.01)
    server = FakeServer()
    server.work_done_progress.refusal = refusal
    async with LspEditor(server).progress("downloading") as progress:
        progress.report(1, 2)
    assert server.work_done_progress.sent == []


async def test_a_question_gives_the_title_or_nothing():
    answers = ["Download", None, RuntimeError("method not found")]
    chosen = [await LspEditor(FakeServer(answer=answer)).choose("?", ["a"]) for answer in answers]
    assert chosen == ["Download", None, None]
