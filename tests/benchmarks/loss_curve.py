"""Draw the log of ``tenon train-base``: losses and learning rate over the tokens that were read.

    python -m tests.benchmarks.loss_curve docs/training/starter-1.jsonl docs/training/starter-1.png

Needs matplotlib, which nothing else here does: ``pip install matplotlib``.
"""

import json
import sys
from pathlib import Path

import matplotlib as mpl

mpl.use("Agg")

from matplotlib import pyplot as plt


def main(log: Path, picture: Path) -> None:
    lines = [json.loads(line) for line in log.read_text("utf-8").splitlines()]
    tokens = [line["tokens"] / 1e6 for line in lines]
    held = [line for line in lines if line["heldout"] is not None]
    figure, losses = plt.subplots(figsize=(9, 4.5), dpi=110)
    losses.plot(tokens, [line["loss"] for line in lines], color="0.75", label="all, weighted")
    losses.plot(tokens, [line["answer_loss"] for line in lines], color="#7fb3d5", label="answers")
    losses.plot(
        [line["tokens"] / 1e6 for line in held],
        [line["heldout"] for line in held],
        "o-",
        color="#1a5276",
        label="answers, held-out packages",
    )
    losses.set(xlabel="million tokens", ylabel="cross entropy, nats per token", ylim=(1.0, 2.3))
    rate = losses.twinx()
    rate.plot(tokens, [line["learning_rate"] for line in lines], ":", color="#c0392b")
    rate.set(ylabel="learning rate (dotted)", ylim=(0, None))
    losses.legend(loc="upper right")
    figure.tight_layout()
    figure.savefig(picture)


if __name__ == "__main__":
    main(*map(Path, sys.argv[1:]))
