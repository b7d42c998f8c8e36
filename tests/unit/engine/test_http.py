import asyncio

from lsp_server.engine.http import EventStream


async def test_an_answer_that_cannot_be_sent_is_logged(caplog):
    async def chunks():
        yield {"choices": []}
        raise ValueError("odd")

    async def events():
        yield None

    async def receive():
        await asyncio.Event().wait()

    sent = []

    async def send(message):
        sent.append(message)

    await EventStream(chunks(), events())({}, receive, send)
    assert [message["type"] for message in sent] == ["http.response.start", "http.response.body"]
    assert "ValueError: odd" in caplog.text
