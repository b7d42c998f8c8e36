"""A workspace of several folders: each has its own adapter, trainer and list."""

import asyncio

from lsprotocol import types

from tests.editors import editor
from tests.git_repositories import repository
from tests.published import published
from tests.train_extra import torch  # noqa: F401 - the watcher needs what training needs

FUNCTION = "def add(a, b):\n    return a + b\n\n\ndef subtract(a, b):\n    return a"


async def command(session, name, *arguments):
    params = types.ExecuteCommandParams(name, list(arguments))
    async with asyncio.timeout(60):
        return await session.client.workspace_execute_command_async(params)


async def test_each_folder_is_asked_and_switched_by_itself(home, tmp_path):
    roots, adapters = [], []
    for number, name in enumerate(("shelf", "desk"), 1):
        made = repository(tmp_path / name)
        made.commit({"a.py": FUNCTION})
        roots.append(made.root)
        adapters.append(published(home, made.root, number)[1].id)
    outside = tmp_path / "notes"
    outside.mkdir()
    options = {"trainingIdleSeconds": 600}
    async with editor(home, roots[0], others=(roots[1], outside), options=options) as session:
        await session.ready()
        documents = [session.open(FUNCTION, (root / "a.py").as_uri()) for root in roots]
        plain = session.open(FUNCTION, (outside / "a.py").as_uri())
        for root, adapter in zip(roots, adapters, strict=True):
            await command(session, "tenon.activateAdapter", adapter, root.as_uri())

        async def asked(uri):
            """Which adapter answers in a document, and whose trainer is told of then."""
            await session.complete(uri, 5, 12)
            status = await session.status()
            return status.recent[-1].adapter, status.trainer.root

        for uri, adapter, root in [*zip(documents, adapters, roots, strict=True)] * 2:
            assert await asked(uri) == (adapter, str(root))
        assert await asked(plain) == (None, str(outside))
        for uri, adapter in zip(documents, adapters, strict=True):
            listed = await session.client.protocol.send_request_async(
                "tenon/adapters", {"uri": uri}
            )
            assert [line.id for line in listed.adapters] == [adapter]

        await command(session, "tenon.activateAdapter", "", documents[0])
        assert await asked(documents[0]) == (None, str(roots[0]))
        assert await asked(documents[1]) == (adapters[1], str(roots[1]))
