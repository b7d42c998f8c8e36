import asyncio
import sys

import pytest

from lsp_server.errors import TenonError
from lsp_server.store.paths import StorePaths
from lsp_server.training_setup import TrainingSetup

INSTALLER = """
import sys, time
manner, option = sys.argv[1:]
print("3 packages, 12 MB to download" if option == "--dry-run" else "collecting", flush=True)
if manner == "hangs":
    time.sleep(600)
if manner == "fails":
    sys.exit("no room")
"""


def setup(tmp_path, manner="works"):
    command = [sys.executable, "-c", INSTALLER, manner]
    return TrainingSetup(StorePaths(tmp_path / "home"), command=command)


async def test_what_is_said_arrives_line_by_line(tmp_path):
    lines = []
    assert await setup(tmp_path).install(lines.append) is True
    assert lines == ["collecting"]


async def test_the_size_is_known_before(tmp_path):
    assert await setup(tmp_path).look() == "3 packages, 12 MB to download"


async def test_a_failure_is_no_success_and_says_why(tmp_path):
    lines = []
    assert await setup(tmp_path, "fails").install(lines.append) is False
    assert "no room" in lines
    with pytest.raises(TenonError, match="no room"):
        await setup(tmp_path, "fails").look()


async def test_only_one_at_a_time_and_it_can_be_stopped(tmp_path):
    begun = asyncio.Event()
    installing = setup(tmp_path, "hangs")
    task = asyncio.create_task(installing.install(lambda _: begun.set()))
    async with asyncio.timeout(20):
        await begun.wait()
        with pytest.raises(TenonError, match="already"):
            await installing.install(lambda _: None)
        installing.stop()
        assert await task is False


async def test_an_installer_that_is_not_there_is_told(tmp_path):
    absent = TrainingSetup(StorePaths(tmp_path), command=[str(tmp_path / "none")])
    with pytest.raises(TenonError, match="could not be started"):
        await absent.install(lambda _: None)
