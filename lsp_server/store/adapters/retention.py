"""Which adapters are kept: the newest that were promoted, few rejected ones, and what is in use."""

from collections.abc import Collection, Iterator, Sequence
from pathlib import Path
from typing import Annotated

import msgspec

from ...errors import SettingsError
from ..rules import FILE_NAME, read_table
from .manifest import PROMOTED, REJECTED, StoredAdapter

KEPT_PROMOTED = 10
"""Promoted adapters that are kept, newest first, unless ``tenon.toml`` says otherwise."""
KEPT_REJECTED = 3
"""Rejected candidates that are kept for inspection, newest first."""


class Retention(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The table ``[adapters]`` of a repository's ``tenon.toml``."""

    keep: Annotated[int, msgspec.Meta(ge=1, le=10_000)] = KEPT_PROMOTED

    @classmethod
    def of(cls, root: Path) -> "Retention":
        """Raises SettingsError, which names the field."""
        try:
            return msgspec.convert(read_table(root, "adapters"), cls)
        except msgspec.ValidationError as error:
            raise SettingsError(f"{root / FILE_NAME}: `adapters`: {error}") from error


def superfluous(
    adapters: Sequence[StoredAdapter], keep: int, protected: Collection[str | None]
) -> Iterator[StoredAdapter]:
    """Of ``adapters``, newest first, those beyond the newest ``keep`` promoted and few rejected.

    Never one whose id is ``protected``, and never one that was imported or composed: a user made
    those, and a user removes them.
    """
    for verdict, most in ((PROMOTED, keep), (REJECTED, KEPT_REJECTED)):
        alike = [adapter for adapter in adapters if adapter.verdict == verdict]
        yield from (adapter for adapter in alike[most:] if adapter.id not in protected)
