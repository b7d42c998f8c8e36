"""Messages from a pipe."""

import asyncio
import os

from lsp_server.stdio import stream_of


async def test_what_was_written_is_read_and_the_end_is_seen():
    read_end, write_end = os.pipe()
    stream = stream_of(read_end)
    os.write(write_end, b"Content-Length: 5\r\n\r\nhello")
    assert await stream.readline() == b"Content-Length: 5\r\n"
    assert await stream.readline() == b"\r\n"
    assert await stream.readexactly(5) == b"hello"
    os.close(write_end)
    assert await stream.readline() == b""
    os.close(read_end)


async def test_a_message_longer_than_a_pipe_comes_whole():
    read_end, write_end = os.pipe()
    stream, body = stream_of(read_end), b"x" * 1_000_000
    writing = asyncio.create_task(asyncio.to_thread(os.write, write_end, body))
    assert await stream.readexactly(len(body)) == body
    await writing
    os.close(write_end)
    assert await stream.readline() == b""
    os.close(read_end)


async def test_what_a_message_began_gets_its_turn_before_the_next_message():
    read_end, write_end = os.pipe()
    stream, order = stream_of(read_end), []

    async def handle(body):
        order.append(body)

    os.write(write_end, b"onetwo")
    tasks = []
    for _ in range(2):
        body = await stream.readexactly(3)
        order.append(len(order))
        tasks.append(asyncio.ensure_future(handle(body)))
    await asyncio.gather(*tasks)
    assert order == [0, b"one", 2, b"two"]
    os.close(write_end)
    assert await stream.readline() == b""
    os.close(read_end)
