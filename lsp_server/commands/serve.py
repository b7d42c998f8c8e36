"""``tenon serve``: the language server, over stdio or TCP."""

import argparse
import gc

DEFAULT_HOST = "127.0.0.1"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the transport."""
    transport = parser.add_mutually_exclusive_group()
    transport.add_argument("--stdio", action="store_true", help="over stdin and stdout (default)")
    transport.add_argument(
        "--tcp",
        metavar="[HOST:]PORT",
        type=address,
        help=f"wait for one editor on this port (host: {DEFAULT_HOST})",
    )
    # Editors pass the id of their process by habit; pipes that close tell us the same.
    parser.add_argument("--clientProcessId", help=argparse.SUPPRESS)


def run(options: argparse.Namespace) -> int:
    """Serve until the editor says exit or goes away."""
    # The LSP types are 600 classes: collecting garbage while they are made takes a fifth of the
    # start.
    gc.disable()
    from ..log import to_stderr
    from ..server import TenonServer
    from ..store.paths import StorePaths

    gc.freeze()
    gc.enable()
    to_stderr()
    server = TenonServer(StorePaths.default())
    if options.tcp:
        server.start_tcp(*options.tcp)
    else:
        server.start_io()
    return 0


def address(text: str) -> tuple[str, int]:
    """``[HOST:]PORT`` as host and port; IPv6 hosts may stand in brackets."""
    host, _, port = text.rpartition(":")
    if not port.isdecimal() or int(port) > 65_535:
        raise argparse.ArgumentTypeError(f"{text!r} is no [HOST:]PORT, such as 8765")
    return host.strip("[]") or DEFAULT_HOST, int(port)
