"""Whether a better model may be offered, and which one; what the user answered is kept."""

import contextlib
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path

import msgspec

from .completion.engine import EngineInfo
from .store.catalogue import STARTER, CatalogueEntry, load_catalogue
from .store.models import ModelStore
from .store.paths import StorePaths, replace_file
from .store.reach import hub_reachable
from .store.recommend import Machine, Measured, recommend

ASK_AGAIN = timedelta(days=7)


class _Answers(msgspec.Struct, frozen=True):
    """What ``offers.json`` holds."""

    never: bool = False
    not_before: datetime | None = None


@dataclass(frozen=True, slots=True)
class OfferBook:
    """What the user answered to earlier offers; an answer that cannot be written is forgotten."""

    paths: StorePaths

    def is_open(self, now: datetime) -> bool:
        """Whether an offer may be made."""
        try:
            answers = msgspec.json.decode(self._file.read_bytes(), type=_Answers)
        except (OSError, msgspec.DecodeError):
            return True
        return not answers.never and (answers.not_before is None or now >= answers.not_before)

    def postpone(self, now: datetime) -> None:
        """Make no offer for a week."""
        self._write(_Answers(not_before=now + ASK_AGAIN))

    def close(self) -> None:
        """Make no offer ever again."""
        self._write(_Answers(never=True))

    @property
    def _file(self) -> Path:
        return self.paths.root / "offers.json"

    def _write(self, answers: _Answers) -> None:
        with contextlib.suppress(OSError):  # asked once more another time, nothing worse
            replace_file(self._file, msgspec.json.encode(answers))


def recommendation(store: ModelStore, info: EngineInfo) -> CatalogueEntry | None:
    """What would serve better here than the running starter; asks whether the hub is there.

    Blocks for up to the hub's timeout.
    """
    if info.model != STARTER or not info.size or not info.decode_speed:
        return None
    installed = [model.name for model in store.installed()]
    measured = Measured(info.size, info.decode_speed)
    entry = recommend(Machine.detect(), installed, load_catalogue(), measured)
    return entry if entry is not None and hub_reachable() else None
