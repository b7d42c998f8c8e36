"""A small real watcher for tests: speaks the trainer's protocol over its stdio, and trains nothing.

It notes every order in ``orders.jsonl`` of its working folder, and reports after each one. What it
is told by its name (``argv[1]``) decides how it behaves.
"""

import json
import sys
from pathlib import Path

WATCHER = r"""
import json, os, sys, time
from pathlib import Path

manner = sys.argv[1]
log = Path("orders.jsonl").open("a")

def note(**entry):
    print(json.dumps({"pid": os.getpid(), **entry}), file=log, flush=True)

def report(state, **more):
    print(json.dumps({"state": state, **more}), flush=True)

note(started=time.time(), cwd=os.getcwd(), safe=os.environ.get("PYTHONSAFEPATH"))
if manner == "elsewhere" and not Path("free").exists():
    print("tenon: another process watches it", file=sys.stderr)
    sys.exit(75)
if manner == "fails":
    print("Traceback", "tenon: the repository is gone", sep="\n", file=sys.stderr)
    sys.exit(1)
if manner == "babbles":
    print("no report", "{}", "x" * 3_000_000, sep="\n", flush=True)
if manner == "off":
    report("off", message="training is off in tenon.toml")
else:
    report("idle", pending=3, message="waiting for changes", root="elsewhere")
for line in sys.stdin:
    order = json.loads(line)
    note(**order)
    kind = order["type"]
    if kind == "train":
        report("training", step=1, steps=10, loss=2.5, eta=9.0)
    elif kind == "cancel":
        report("idle")
    elif kind == "pause":
        report("paused", pausedBy="user")
note(ended=True)
if manner == "stays":
    time.sleep(600)
"""


def watcher(manner: str = "well") -> list[str]:
    """The command that starts one."""
    return [sys.executable, "-P", "-c", WATCHER, manner]


def orders(home: Path) -> list[dict]:
    """What watchers in a home noted, oldest first."""
    path = home / "orders.jsonl"
    return [json.loads(line) for line in path.read_text().splitlines()] if path.exists() else []
