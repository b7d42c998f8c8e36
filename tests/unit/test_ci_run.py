"""What `.ci/run` says last and how it ends; its commands are stand-ins."""

import os
import shutil
import subprocess
from pathlib import Path

import pytest

SCRIPT = Path(__file__).parents[2] / ".ci" / "run"
PYTEST = "5 passed in 0.10s"
UNSAID = "vscode: failed, but no scenario did; the reason stands above"
MAKE = """#!/bin/sh
case $1 in
test) echo "$PYTEST_SAYS"; exit "$PYTEST_ENDS" ;;
test-vscode) echo "$VSCODE_SAYS"; echo afterwards; exit "$VSCODE_ENDS" ;;
esac
"""


def executable(path: Path, text: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    path.chmod(0o755)


def ran(
    tmp_path: Path, *, tests: int = 0, vscode: str = "", ends: int = 0
) -> tuple[int, list[str], list[Path]]:
    """Its status, the lines it wrote, and what it left in the folder for temporary files."""
    script, temporary = tmp_path / ".ci" / "run", tmp_path / "temporary"
    temporary.mkdir()
    script.parent.mkdir()
    shutil.copy(SCRIPT, script)
    executable(tmp_path / "bin" / "make", MAKE)
    for name in ("bin/c++", "bin/npm", "bin/node", ".venv/bin/python"):
        executable(tmp_path / name, "#!/bin/sh\n")
    environment = os.environ | {
        "PATH": f"{tmp_path / 'bin'}{os.pathsep}{os.environ['PATH']}", "TMPDIR": str(temporary),
        "PYTEST_SAYS": PYTEST, "PYTEST_ENDS": str(tests),
        "VSCODE_SAYS": vscode, "VSCODE_ENDS": str(ends),
    }  # fmt: skip
    done = subprocess.run([script], env=environment, capture_output=True, text=True, check=False)
    return done.returncode, done.stdout.splitlines(), list(temporary.iterdir())


def test_the_tests_summary_is_last_where_all_is_well(tmp_path: Path) -> None:
    status, said, left = ran(tmp_path, vscode="vscode: 31 passed, 0 failed")
    assert (status, said[-1], left) == (0, PYTEST, [])


@pytest.mark.parametrize(
    ("vscode", "last"),
    [
        ("vscode: 21 passed, 10 failed, 1 skipped", "vscode: 21 passed, 10 failed, 1 skipped"),
        ("vscode: 31 passed, 0 failed", UNSAID),
        ("no room", UNSAID),
    ],
)  # fmt: skip
def test_a_workbench_that_failed_has_the_last_word(tmp_path: Path, vscode: str, last: str) -> None:
    status, said, left = ran(tmp_path, vscode=vscode, ends=2)
    assert (status, said[-1], left) == (2, last, [])


def test_tests_that_failed_end_it(tmp_path: Path) -> None:
    status, said, left = ran(tmp_path, tests=2)
    assert (status, said[-1], left) == (2, PYTEST, [])
