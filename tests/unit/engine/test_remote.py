"""Clients of an engine whose model somebody else switches."""

import pytest

from lsp_server.completion.engine import GenerationRequest
from lsp_server.engine.client import HttpEngine
from lsp_server.engine.remote import RemoteEngine
from lsp_server.errors import EngineRequestError
from lsp_server.prompt.assemble import Prompt
from lsp_server.prompt.formats import Special, Text

PROMPT = Prompt((Special("<pre>"), Text("x = ")))


class Switching:
    """A transport to an engine that serves ``model``; its control tokens' id is the name's length.

    ``param`` is what it says was wrong with a request for another model.
    """

    def __init__(self, param="model"):
        self.model, self.param = "one", param
        self.bodies = []

    async def get(self, path):
        return {"data": [{"id": self.model}]}

    async def post(self, path, body):
        ids = [len(self.model)]
        return {"tokens": ids if isinstance(body["content"], str) else [ids]}

    async def events(self, path, body):
        self.bodies.append(body)
        if body["model"] != self.model:
            raise EngineRequestError("no such model", status=404, param=self.param)
        yield {"choices": [{"text": "1", "finish_reason": "stop"}]}


@pytest.fixture(params=[HttpEngine, RemoteEngine])
def client(request):
    made = request.param("http://127.0.0.1:1", "")
    made._transport = Switching()
    return made


async def answer(client, **options):
    request = GenerationRequest(PROMPT, 1, **options)
    return "".join([chunk.text async for chunk in client.generate(request)])


def ids(client):
    return [part for part in client._transport.bodies[-1]["prompt"] if isinstance(part, int)]


async def test_another_model_is_noticed_when_it_is_asked_for(client):
    assert ((await client.info()).model, await answer(client)) == ("one", "1")
    assert 3 in ids(client)
    client._transport.model = "three"
    assert (await client.ask_info()).model == "three"
    assert (await client.info()).model == "three"
    assert await answer(client) == "1"
    assert 5 in ids(client)


async def test_a_refusal_has_it_asked_again(client):
    await client.info()
    await answer(client)
    client._transport.model = "three"
    with pytest.raises(EngineRequestError):
        await answer(client)
    assert (await client.info()).model == "three"
    assert await answer(client) == "1"
    assert 5 in ids(client)


async def test_a_prompts_own_model_is_named_whatever_is_known_by_now(client):
    await client.info()
    client._transport.model = "three"
    await client.ask_info()
    with pytest.raises(EngineRequestError):
        await answer(client, model="one")
    assert client._transport.bodies[-1]["model"] == "one"
    assert await answer(client, model="three") == "1"


async def test_an_older_engine_that_names_no_field_is_asked_again_too():
    client = RemoteEngine("http://127.0.0.1:1", "")
    client._transport = Switching(param=None)
    await client.info()
    client._transport.model = "three"
    with pytest.raises(EngineRequestError):
        await answer(client)
    assert (await client.info()).model == "three"
