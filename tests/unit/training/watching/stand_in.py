"""A process that behaves as `tenon train --background --events` does, without training anything.

``python stand_in.py FOLDER``: FOLDER/how says what becomes of it; FOLDER/starts has a line for each
start, FOLDER/beat grows while it runs.
"""

import json
import signal
import subprocess
import sys
import time
from pathlib import Path

FOLDER = Path(sys.argv[1])


def tell(**event: object) -> None:
    sys.stdout.write(json.dumps(event) + "\n")
    sys.stdout.flush()


def outcome(*, promoted: bool) -> int:
    tell(
        kind="outcome", adapter="20260101T000000Z-00000000", promoted=promoted, gain=0.25,
        lower=0.1, spans=40, reason="as it went", run=str(FOLDER),
    )  # fmt: skip
    return 0 if promoted else 3


def steps() -> int:
    """For ever, until SIGTERM; with a process of its own, as the parsing pool has."""
    child = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"])
    (FOLDER / "grandchild").write_text(str(child.pid))

    def end(*_: object) -> None:
        child.kill()
        (FOLDER / "checkpoint").touch()
        sys.exit(143)

    signal.signal(signal.SIGTERM, signal.SIG_IGN if HOW == "stubborn" else end)
    tell(kind="step", step=3, steps=10, loss=1.5, heldout=None, tokens_per_second=100.0, eta=7.0)
    with (FOLDER / "beat").open("ab", buffering=0) as beat:
        while True:
            beat.write(b".")
            time.sleep(0.005)


HOW = (FOLDER / "how").read_text()
with (FOLDER / "starts").open("a") as starts:
    starts.write(f"{HOW}\n")
tell(kind="stage", stage="reading files")
match HOW:
    case "promoted" | "rejected":
        tell(kind="judging", step="newer code", done=1, total=2)
        status = outcome(promoted=HOW == "promoted")
    case "busy":
        tell(kind="error", message="shelf is being trained on this machine; wait")
        status = 75
    case "fails":
        sys.stderr.write("tenon: there is nothing to learn\n")
        status = 1
    case "crashes":
        sys.stdout.flush()
        signal.raise_signal(signal.SIGKILL)
        status = 1
    case _:
        status = steps()
sys.exit(status)
