"""The typing benchmark runs over real servers, and leaves the file as it was to be typed."""

import psutil
import pytest

from tests.benchmarks.typing import rows, sources
from tests.benchmarks.typing.replay import Replay
from tests.benchmarks.typing.traces import Repository, Stroke, Task, Trace

SOURCE = '''"""Sums."""


def add(first, second):
    """Add two numbers."""
    return first + second


def subtract(first, second):
    """Subtract one number from another."""
    return first - second
'''
TYPED = "\n    return first - second"


@pytest.mark.parametrize("name", rows.DEFAULT)
async def test_a_line_is_typed_with(name, tmp_path):
    start = SOURCE.rindex(TYPED)
    document = SOURCE[:start] + SOURCE[start + len(TYPED) :]
    strokes = tuple(Stroke(60.0) for _ in TYPED)
    task = Task("sums.py", start, TYPED, 100.0, strokes, save=True)
    trace = Trace("sums", "sums", 1, {"sums.py": document}, (task,))
    root, home = tmp_path / "sums", tmp_path / "home"
    home.mkdir()
    sources.write(Repository("sums", {"sums.py": SOURCE}, ()), root, trace.documents)
    async with rows.suggester(rows.ROWS[name], home, root, 1) as suggester:
        await suggester.start(root, trace.documents)
        children = psutil.Process().children(recursive=True)
        noted = await Replay(trace, suggester, root, name).play()
    assert (root / "sums.py").read_text() == SOURCE
    assert noted.requests
    assert noted.usage.cpu > 0
    assert not any(child.is_running() and child.status() != "zombie" for child in children)
