"""The rooms of docs/design.md, as import-linter holds them."""

import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]


def test_nobody_imports_what_is_not_theirs():
    command = Path(sys.executable).with_name("lint-imports")
    done = subprocess.run(
        [command, "--no-cache"], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout


def test_help_and_the_server_load_no_model_code():
    """Editors wait for the server: it must come up without the engine's and trainer's libraries."""
    heavy = (
        "llama_cpp",
        "torch",
        "transformers",
        "huggingface_hub",
        "httpx",
        "aiohttp",
        "numpy",
        "uvicorn",
    )
    script = (
        "import sys, lsp_server.cli, lsp_server.server, lsp_server.commands.serve;"
        f"print([name for name in {heavy!r} if name in sys.modules])"
    )
    done = subprocess.run(
        [sys.executable, "-P", "-c", script], capture_output=True, text=True, check=False
    )
    assert done.stdout.strip() == "[]", done.stderr
