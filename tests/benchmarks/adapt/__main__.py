"""Train every arm on every repository, and ask each adapter for newer code.

    python -m tests.benchmarks.adapt BASE.gguf OUT.jsonl [ARM ...]

One line of OUT is one adapter in one repository, with or without cross-file context: of each place
its loss in nats, its tokens, and whether greedy decoding would have been right, as a whole and in
its first line. `python -m tests.benchmarks.adapt.report OUT.jsonl ...` makes tables of it. A small
model does not fill a GPU: run one process per repository at the same time (--only).
"""

import argparse
import os
import sys
from pathlib import Path

import torch

from .arms import ARMS, read_arms
from .lab import Bench, Lab


def main(argv: list[str]) -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("base", type=Path, help="the starter's GGUF")
    parser.add_argument("out", type=Path)
    parser.add_argument("arms", nargs="*", help="names in arms.toml; all of them otherwise")
    parser.add_argument("--arms-file", type=Path, default=ARMS)
    parser.add_argument("--bench", type=Path, default=Path("../shared/bench"))
    parser.add_argument("--places", type=int, default=0, help="only so many per repository")
    parser.add_argument("--only", default="", help="one repository: run a process for each at once")
    parser.add_argument("--laid-out", type=Path, help="file to keep the prompts in, for all runs")
    parser.add_argument("--kept", type=Path, help="folder for the adapters of arms with controls")
    parser.add_argument("--device", default="cuda" if torch.cuda.is_available() else "cpu")
    options = parser.parse_args(argv)
    os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")
    arms = read_arms(options.arms_file)
    bench = Bench.read(options.base, options.bench, options.places, options.only, options.laid_out)
    lab = Lab(bench, options.out, options.device, options.only, options.kept)
    for name in options.arms or arms:
        lab.run(name, arms[name])
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
