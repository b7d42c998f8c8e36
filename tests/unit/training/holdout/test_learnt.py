"""What an adapter has read is not asked of its successor."""

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from tests.git_repositories import code, repository
from tests.unit.training.holdout.test_holdout import divided, files_of, new_text
from training.holdout.learnt import (
    fresh_share,
    learnt_lines,
    load_learnt,
    save_learnt,
    without_learnt,
)


def test_lines_that_were_learnt_are_held_out_no_more(tmp_path: Path):
    made = repository(tmp_path / "project")
    made.commit({"core.py": code("core", 300)})
    made.commit({"late.py": code("late", 30), "seen.py": code("seen", 20)})
    before = divided(made.root)
    assert set(before.new) == {"late.py", "seen.py"}
    learnt = learnt_lines(
        it for it in files_of(made.root) if it.path in {"core.py", "seen.py"}
    )  # fmt: skip
    made.commit({"late.py": code("late", 30) + "\n\n" + code("seen", 20)})
    after = without_learnt(divided(made.root), learnt)
    assert new_text(after, "late.py") == code("late", 30).rstrip("\n")
    assert set(after.new) == {"late.py"} == after.unseen
    assert after.lines == 32
    assert after.training == divided(made.root).training


def test_what_nobody_learnt_stays(tmp_path: Path):
    made = repository(tmp_path / "project")
    made.commit({"core.py": code("core", 300)})
    made.commit({"late.py": code("late", 40)})
    found = divided(made.root)
    assert without_learnt(found, learnt_lines(found.training)) == found
    assert without_learnt(found, learnt_lines([])) == found


def test_format_alone_makes_no_new_line(tmp_path: Path):
    (tmp_path / "a.py").write_text("def first():\n    return call('one', 'two', 'three')\n")
    learnt = learnt_lines(files_of(tmp_path))
    same = 'class A:\n  def first():\n        return call("one", "two", "three"),\n'
    assert fresh_share(same, learnt) == 0
    assert fresh_share(same + "def second_one():\n    return 1\n", learnt) == pytest.approx(1 / 3)
    assert fresh_share("else:\n", learnt) == 0


def test_what_was_learnt_before_is_remembered(tmp_path: Path):
    (tmp_path / "a.py").write_text(code("one", 5))
    first = learnt_lines(files_of(tmp_path))
    (tmp_path / "a.py").write_text(code("two", 5))
    both = learnt_lines(files_of(tmp_path), first)
    assert fresh_share(code("one", 5) + code("two", 5), both) == 0
    assert np.all(np.diff(both) > 0)


def test_lines_have_the_same_numbers_in_every_process(tmp_path: Path):
    (tmp_path / "repo").mkdir()
    (tmp_path / "repo" / "a.py").write_text(code("größe", 5))
    path = tmp_path / "learnt.npy"
    script = (
        "import sys; from pathlib import Path\n"
        "from tests.unit.training.holdout.test_holdout import files_of\n"
        "from training.holdout.learnt import learnt_lines, save_learnt\n"
        "save_learnt(Path(sys.argv[2]), learnt_lines(files_of(Path(sys.argv[1]))))\n"
    )
    command = [sys.executable, "-c", script, str(tmp_path / "repo"), str(path)]
    subprocess.run(command, check=True, cwd=Path(__file__).parents[4])
    assert np.array_equal(load_learnt(path), learnt_lines(files_of(tmp_path / "repo")))


@pytest.mark.parametrize("damage", ["nothing", "half", "text", "floats", "table"])
def test_what_cannot_be_read_is_not_known(tmp_path: Path, damage: str):
    path = tmp_path / "learnt.npy"
    if damage == "half":
        save_learnt(path, np.arange(100, dtype=np.int64))
        path.write_bytes(path.read_bytes()[:200])
    elif damage == "text":
        path.write_text("no numbers")
    elif damage in {"floats", "table"}:
        save_learnt(path, np.zeros(3) if damage == "floats" else np.zeros((2, 2), np.int64))
    assert load_learnt(path) is None
