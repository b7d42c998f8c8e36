"""llama.cpp's own server in a process of its own: ``python -m tests.llama_server GGUF``.

Prints its URL, then serves until its standard input closes.
"""

import sys

import xllamacpp


def main(path: str) -> None:
    parameters = xllamacpp.CommonParams()
    parameters.model.path = path
    parameters.n_ctx = 1024
    # What is left of the context beside a batch is for an infill's chunks of other files.
    parameters.n_batch = 256
    # llama.cpp's AMX kernels end the process on some machines; see docs/design.md.
    parameters.no_extra_bufts = True
    server = xllamacpp.Server(parameters)
    print(server.listening_address, flush=True)  # noqa: T201
    sys.stdin.read()


if __name__ == "__main__":
    main(sys.argv[1])
