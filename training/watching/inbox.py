"""Messages from any thread, for one that takes them."""

from queue import Empty, SimpleQueue

from .messages import Message


class Inbox:
    """A queue that is emptied at once; a signal's handler may put into it, too."""

    def __init__(self) -> None:
        self._queue: SimpleQueue[Message] = SimpleQueue()

    def put(self, message: Message) -> None:
        """Leave a message; never waits."""
        self._queue.put(message)

    def take(self, seconds: float) -> list[Message]:
        """All that have come, in their order; none if none comes within so many seconds."""
        found: list[Message] = []
        try:
            found.append(self._queue.get(timeout=seconds))
            found.extend(self._queue.get_nowait() for _ in range(self._queue.qsize()))
        except Empty:
            pass
        return found
