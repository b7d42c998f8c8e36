"""What a run leaves behind if it is killed, and takes over from one that was.

The checkpoint of a run stays until its adapter is published: whoever is killed later (while it
exports, judges or publishes) finds it complete the next time, and trains no more. Beside it stands
how the run cut its prompts: the engine's speed has changed until then, and its budgets with it.
"""

import shutil
from pathlib import Path

import msgspec

from lsp_server.store.paths import replace_file
from lsp_server.store.runs import Run, RunStore

from ..prepared import Cut

CHECKPOINT, CUT = "checkpoint.pt", "cut.json"


def checkpoint_of(run: Run, runs: RunStore) -> Path:
    """Where a run saves itself, with what the newest run that was killed or cancelled left there.

    Training goes on from it if it is of the same base, samples and settings, and else begins anew.
    """
    run.checkpoints.mkdir(parents=True, exist_ok=True)
    own = run.checkpoints / CHECKPOINT
    former = (it.checkpoints / CHECKPOINT for it in runs.all() if it.id != run.id)
    if left := next((path for path in former if path.is_file()), None):
        if (cut := left.with_name(CUT)).is_file():
            cut.replace(own.with_name(CUT))
        left.replace(own)
    return own


def keep_cut(checkpoint: Path, cut: Cut) -> None:
    """Note beside a checkpoint, before it is written, how the run cuts its prompts."""
    replace_file(checkpoint.with_name(CUT), msgspec.json.encode(cut))


def kept_cut(checkpoint: Path, base: str, context: int | None) -> Cut | None:
    """How the run cut its prompts that left the checkpoint; None if there is none, nobody knows, or
    it was over another base or a context in which they might not fit.
    """
    try:
        cut = msgspec.json.decode(checkpoint.with_name(CUT).read_bytes(), type=Cut)
    except (OSError, msgspec.DecodeError):
        return None
    same = (cut.base, cut.context) == (base, context)
    return cut if same and checkpoint.is_file() else None


def clear(runs: RunStore) -> None:
    """Remove what this run, and those that were killed before it, would have gone on from.

    For the end of a run whose adapter is published.
    """
    for run in runs.all():
        for folder in (run.checkpoints, run.candidate):
            shutil.rmtree(folder, ignore_errors=True)
