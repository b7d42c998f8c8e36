"""``tenon engine``: the completion engine in the foreground."""

import argparse
import asyncio
import logging
import math
import sys
from pathlib import Path

from ..engine.launcher import find, stop
from ..engine.process import EngineProcessOptions, serve
from ..engine.record import EngineRecord
from ..engine.runtime import ADAPTER_MEMORY, RuntimeOptions
from ..store.paths import StorePaths

MOST = 2**31 - 1
"""What llama.cpp counts with."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Options of the engine process."""
    parser.add_argument("--model", help="an installed model (default: the chosen one)")
    parser.add_argument("--port", type=port, default=0, help="default: any free port")
    parser.add_argument(
        "--api-key-file",
        type=Path,
        metavar="FILE",
        help="the bearer token that clients send; made if there is none",
    )
    parser.add_argument("--gpu-layers", type=layers, default=-1, help="default: all, if it can")
    parser.add_argument(
        "--threads",
        type=count,
        default=0,
        help="default: as many as were fastest lately, at most one per physical core",
    )
    parser.add_argument(
        "--context",
        type=count,
        default=0,
        help="tokens per sequence (default: 4096; never more than the model was trained for)",
    )
    parser.add_argument(
        "--adapter-memory",
        type=count,
        default=ADAPTER_MEMORY // 2**20,
        metavar="MIB",
        help="what adapters that nobody uses may take before the oldest go (default: %(default)s)",
    )
    parser.add_argument(
        "--idle-exit", type=seconds, default=0, metavar="SECONDS", help="default: never"
    )
    # Set by a client that starts it: then whoever runs already wins.
    parser.add_argument("--launch", default="", help=argparse.SUPPRESS)


def run(options: argparse.Namespace) -> int:
    """Serve until idle, shut down or interrupted."""
    logging.basicConfig(
        level=logging.INFO, format="%(asctime)s %(levelname)s %(message)s", stream=sys.stderr
    )
    paths = StorePaths.default()
    process_options = EngineProcessOptions(
        model=options.model,
        port=options.port,
        api_key_file=options.api_key_file,
        idle_exit=options.idle_exit,
        launch=options.launch,
        runtime=RuntimeOptions(
            options.gpu_layers,
            options.threads,
            options.context,
            adapter_memory=options.adapter_memory * 2**20,
        ),
    )

    def evict() -> bool:
        running = find(paths)
        if running:
            asyncio.run(stop(running, paths))
        return running is not None

    def announce(record: EngineRecord) -> None:
        key = options.api_key_file or paths.engine_token
        print(f"Serving {record.url}; the API key is in {key}. Ctrl+C ends it.", file=sys.stderr)

    asyncio.run(
        serve(paths, process_options, evict=None if options.launch else evict, ready=announce)
    )
    return 0


def port(text: str) -> int:
    """A TCP port; 0 is any free one."""
    return _whole(text, 0, 65_535)


def layers(text: str) -> int:
    """A number of layers; -1 is all."""
    return _whole(text, -1, MOST)


def count(text: str) -> int:
    """A number of something; 0 leaves it to the engine."""
    return _whole(text, 0, MOST)


def seconds(text: str) -> float:
    """A duration; 0 is for ever."""
    try:
        value = float(text)
    except ValueError:
        value = math.nan
    if not 0 <= value < math.inf:
        raise argparse.ArgumentTypeError(f"{text!r} is no number of seconds, 0 or more")
    return value


def _whole(text: str, least: int, most: int) -> int:
    try:
        value = int(text)
    except ValueError:
        value = least - 1
    if not least <= value <= most:
        raise argparse.ArgumentTypeError(f"{text!r} is no whole number from {least} to {most}")
    return value
