"""Which files say what an earlier file said already: exactly, or nearly (MinHash)."""

import hashlib

import numpy as np
import numpy.typing as npt

SIMILAR = 0.8
"""The share of equal MinHash values from which on a file counts as another's copy."""
ROWS = 4
"""Values a band: with 16 bands, all but 0.02 % of the pairs at 0.8 meet in one."""
CROWD = 32
"""Files that a bucket keeps to compare with; licences and stubs would make them endless."""


class Duplicates:
    """Remembers every file that it let pass."""

    def __init__(self) -> None:
        self._exact: set[bytes] = set()
        self._signatures: list[npt.NDArray[np.uint32]] = []
        self._buckets: dict[tuple[int, bytes], list[int]] = {}

    def reason(self, text: str, signature: npt.NDArray[np.uint32]) -> str | None:
        """``duplicate``, ``near-duplicate``, or None, and then the file is remembered."""
        exact = hashlib.blake2b("".join(text.split()).encode(), digest_size=16).digest()
        if exact in self._exact:
            return "duplicate"
        self._exact.add(exact)
        bands = [
            (start, signature[start : start + ROWS].tobytes())
            for start in range(0, len(signature), ROWS)
        ]
        near = {index for band in bands for index in self._buckets.get(band, ())}
        if any((self._signatures[index] == signature).mean() >= SIMILAR for index in near):
            return "near-duplicate"
        for band in bands:
            bucket = self._buckets.setdefault(band, [])
            if len(bucket) < CROWD:
                bucket.append(len(self._signatures))
        self._signatures.append(signature)
        return None
