"""Which requests the base answers in an adapter's place, so that acceptance can be compared. Pure.

The draw is one per document and line, not one per keystroke: who types along an answer stays with
whoever gave it, so that the answers that are remembered, which are kept by adapter, go on serving.
Another session draws anew, so that no line is the base's for good.
"""

import secrets
from dataclasses import dataclass, field
from hashlib import blake2b

_BYTES = 8


@dataclass(frozen=True, slots=True)
class BaseShare:
    """The draws of one session; ``salt`` decides them all."""

    salt: bytes = field(default_factory=lambda: secrets.token_bytes(16))

    def draws(self, share: float, uri: str, line: int) -> bool:
        """Whether the base answers at a line (from 0) of a document; ``share`` is in 0..1."""
        if share <= 0:
            return False
        place = f"{line} {uri}".encode("utf-8", "surrogatepass")
        drawn = int.from_bytes(blake2b(place, key=self.salt, digest_size=_BYTES).digest(), "big")
        return drawn < int(share * 256**_BYTES)
