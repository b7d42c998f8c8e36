"""What a run leaves behind if it is killed, and takes over from one that was.

The checkpoint of a run stays until its adapter is published: whoever is killed later (while it
exports, judges or publishes) finds it complete the next time, and trains no more.
"""

import shutil
from pathlib import Path

from lsp_server.store.runs import Run, RunStore

CHECKPOINT = "checkpoint.pt"


def checkpoint_of(run: Run, runs: RunStore) -> Path:
    """Where a run saves itself, with what the newest run that was killed or cancelled left there.

    Training goes on from it if it is of the same base, samples and settings, and else begins anew.
    """
    run.checkpoints.mkdir(parents=True, exist_ok=True)
    own = run.checkpoints / CHECKPOINT
    former = (it.checkpoints / CHECKPOINT for it in runs.all() if it.id != run.id)
    if left := next((path for path in former if path.is_file()), None):
        left.replace(own)
    return own


def clear(runs: RunStore) -> None:
    """Remove what this run, and those that were killed before it, would have gone on from.

    For the end of a run whose adapter is published.
    """
    for run in runs.all():
        for folder in (run.checkpoints, run.candidate):
            shutil.rmtree(folder, ignore_errors=True)
