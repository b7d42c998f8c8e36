"""Standard input as a stream of the event loop.

pygls sends a thread for each header line and each body: three times there and back for every
message. Here one thread reads whatever has come and hands it over at once, so that an edit and the
question behind it take one way. (A loop cannot wait for a pipe by itself on every system.)
"""

import asyncio
import contextlib
import os
from threading import Thread

PIECE = 2**16
"""Bytes that are read at most at a time; no more fit in a pipe."""


class MessageStream(asyncio.StreamReader):
    """A stream whose bodies are taken one by one: what a message has begun gets a turn before the
    next one changes the document.
    """

    async def readexactly(self, n: int) -> bytes:
        await asyncio.sleep(0)
        return await super().readexactly(n)


def stream_of(descriptor: int) -> MessageStream:
    """What comes from a file, for the running event loop."""
    loop = asyncio.get_running_loop()
    stream = MessageStream()

    def read_on() -> None:
        with contextlib.suppress(RuntimeError):  # the loop has ended
            # A file that fails has nothing more to say, as one that ends.
            with contextlib.suppress(OSError):
                while data := os.read(descriptor, PIECE):
                    loop.call_soon_threadsafe(stream.feed_data, data)
            loop.call_soon_threadsafe(stream.feed_eof)

    # As a daemon: it waits in `read` when everything else has ended.
    Thread(target=read_on, name="tenon-stdin", daemon=True).start()
    return stream
