"""``engine.json``: what the running engine tells whoever wants to find it."""

import msgspec


class EngineRecord(msgspec.Struct, frozen=True):
    """How to reach the engine; written when it is ready, removed when it ends.

    ``launch`` is what its launcher called this start, empty if a user started it by hand: such an
    engine is never restarted for anybody's settings.
    """

    pid: int
    port: int
    version: str
    launch: str = ""

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"
