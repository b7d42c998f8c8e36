"""``tenon train-base CONFIG``: the recipe of the starter base, on a GPU, with a log to plot."""

import argparse
from pathlib import Path

import msgspec
from rich.console import Console

from ..starter.config import read_config
from ..starter.foundation import Report, train


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the configuration."""
    parser.add_argument(
        "config", metavar="CONFIG", type=Path, help="a TOML as training/starter/starter.toml"
    )


def run(options: argparse.Namespace) -> int:
    """Train, and say where the artefact lies; progress goes to standard output and the log."""
    config = read_config(options.config)
    folder = options.config.absolute().parent
    console = Console(highlight=False, markup=False, soft_wrap=True)
    log = folder / config.log if config.log else None

    def report(line: Report) -> None:
        held = "" if line.heldout is None else f"  held-out answers {line.heldout:.4f}"
        console.print(
            f"step {line.step:>6}/{config.steps}  {line.tokens / 1e6:7.1f}M tokens  "
            f"loss {line.loss:.4f}  answers {line.answer_loss:.4f}  "
            f"lr {line.learning_rate:.2e}  {line.tokens_per_second / 1e3:.0f}k tok/s{held}"
        )
        if log is not None:
            with log.open("ab") as file:
                file.write(msgspec.json.encode(line) + b"\n")

    artefact = train(config, folder, report)
    console.print(f"written: {artefact}")
    return 0
