"""``active.json``: which adapter serves a repository, who chose it, and what served before.

One file, replaced in one step, so that the choice and its history never contradict each other. An
older Tenon reads the id and the scale, and passes over the rest.
"""

from collections.abc import Iterable, Iterator
from pathlib import Path

import msgspec

from ...errors import AdapterError
from ..integrity import Fingerprint
from ..paths import replace_file
from .manifest import PROMOTED, StoredAdapter

HISTORY = 50
"""Choices that are remembered, and can be gone back to."""


class Served(msgspec.Struct, frozen=True, kw_only=True):
    """What serves: an adapter at a scale, or (None) the base alone.

    ``manual``: a user said so, and no promotion changes it. Otherwise the gate's last promotion
    serves, and the next one takes its place.
    """

    adapter_id: str | None
    scale: float = 1.0
    manual: bool = False


class Choice(Served, frozen=True, kw_only=True):
    """What serves now, and what served before it, newest first.

    ``fingerprint`` is of a file that was checked in full.
    """

    fingerprint: Fingerprint | None = None
    history: tuple[Served, ...] = ()

    def followed_by(self, served: Served, fingerprint: Fingerprint | None = None) -> "Choice":
        """Another choice after this one, which becomes the newest of its history."""
        history = self.history
        if served.adapter_id != self.adapter_id:
            mine = Served(adapter_id=self.adapter_id, scale=self.scale, manual=self.manual)
            history = (mine, *history)[:HISTORY]
        return _choice(served, fingerprint, history)

    def back_to(self, served: Served, fingerprint: Fingerprint | None = None) -> "Choice":
        """An earlier choice again; what came before it stays before it."""
        ids = [entry.adapter_id for entry in self.history]
        at = ids.index(served.adapter_id) + 1 if served.adapter_id in ids else 0
        return _choice(served, fingerprint, self.history[at:])

    def earlier(self, adapters: Iterable[StoredAdapter]) -> Iterator[Served]:
        """What this may be taken back to, the best first; the base alone comes last.

        ``adapters`` are those that there are, newest first: an older Tenon wrote no history, and
        before this adapter an older one may have served.
        """
        known = (entry for entry in self.history if entry.adapter_id != self.adapter_id)
        yield from known
        if self.adapter_id is None:
            return
        ids = {entry.adapter_id for entry in self.history}
        younger = True
        for adapter in adapters:
            if adapter.verdict == PROMOTED and not younger and adapter.id not in ids:
                yield Served(adapter_id=adapter.id, scale=adapter.scale)
            younger = younger and adapter.id != self.adapter_id
        yield Served(adapter_id=None)


NOTHING = Choice(adapter_id=None)
"""What holds where nothing was ever chosen: the base, until an adapter is promoted."""


def read_choice(path: Path) -> Choice | None:
    """None: nothing was chosen. Raises AdapterError for a file that cannot be read."""
    try:
        return msgspec.json.decode(path.read_bytes(), type=Choice)
    except FileNotFoundError:
        return None
    except (OSError, msgspec.DecodeError) as error:
        raise AdapterError(
            f"{path} cannot be read ({error}); remove it, and the base alone serves until you run "
            "`tenon adapters use auto`"
        ) from error


def write_choice(path: Path, choice: Choice) -> None:
    """Raises ``OSError``, with the earlier choice as it was."""
    replace_file(path, msgspec.json.encode(choice) + b"\n")


def _choice(served: Served, fingerprint: Fingerprint | None, history: tuple[Served, ...]) -> Choice:
    return Choice(
        adapter_id=served.adapter_id,
        scale=served.scale,
        manual=served.manual,
        fingerprint=fingerprint,
        history=history,
    )
