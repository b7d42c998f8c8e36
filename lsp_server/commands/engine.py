"""``tenon engine``: the completion engine in the foreground."""

import argparse
import asyncio
import logging
import sys
from pathlib import Path

from ..engine.launcher import find, stop
from ..engine.process import EngineProcessOptions, serve
from ..engine.record import EngineRecord
from ..engine.runtime import RuntimeOptions
from ..store.paths import StorePaths


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Options of the engine process."""
    parser.add_argument("--model", help="an installed model (default: the chosen one)")
    parser.add_argument("--port", type=int, default=0, help="default: any free port")
    parser.add_argument(
        "--api-key-file",
        type=Path,
        metavar="FILE",
        help="the bearer token that clients send; made if there is none",
    )
    parser.add_argument("--gpu-layers", type=int, default=-1, help="default: all, if it can")
    parser.add_argument("--threads", type=int, default=0, help="default: one per physical core")
    parser.add_argument("--context", type=int, default=0, help="tokens per sequence")
    parser.add_argument(
        "--idle-exit", type=float, default=0, metavar="SECONDS", help="default: never"
    )
    # Started by a client: whoever runs already wins. Otherwise a user asked for this one.
    parser.add_argument("--shared", action="store_true", help=argparse.SUPPRESS)


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
        runtime=RuntimeOptions(options.gpu_layers, options.threads, options.context),
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
        serve(paths, process_options, evict=None if options.shared else evict, ready=announce)
    )
    return 0
