"""Runs of `tenon train` that are to be killed: short, and with a gate that promotes everything.

``python -m tests.dying_runs POINT ARGUMENTS…`` is ``tenon train ARGUMENTS…``, which dies at a point
of publication as a process does that is killed there; ``never`` leaves it to others to kill it.
"""

import os
import sys
from pathlib import Path

import msgspec

from lsp_server.cli import main
from lsp_server.store.adapters import AdapterRegistry
from training import preparation, questions
from training import run as run_module
from training.gate.judge import judge
from training.gate.report import GateReport

NEVER, COPIED, APPEARED = "never", "copied", "appeared"
"""COPIED: the candidate is beside the adapters, and is none yet; APPEARED: it is one, and does not
serve yet."""
DEAD = 9


async def lenient(*arguments: object) -> GateReport:
    """The gate's own report with another verdict: two steps win nothing."""
    return msgspec.structs.replace(await judge(*arguments), verdict="promoted")


def die(*_arguments: object, **_more: object) -> None:
    os._exit(DEAD)


if __name__ == "__main__":
    point, *arguments = sys.argv[1:]
    questions.STRETCHES, preparation.GENERAL_STRETCHES = 1, 0
    preparation.GENERAL_CHOOSING = 2
    run_module.judge = lenient
    if point == COPIED:
        rename = Path.rename
        Path.rename = lambda path, to: (die if ".publishing-" in path.name else rename)(path, to)
    elif point == APPEARED:
        AdapterRegistry.promote = die
    sys.exit(main(["train", *arguments]))
