"""What a report collects: of a folder itself, and of whoever's adapters serve it."""

from lsp_server.report.material import collect
from lsp_server.report.page import page
from lsp_server.report.summary import summary
from lsp_server.store.paths import StorePaths
from tests.git_repositories import repository
from tests.report_stores import NOW, with_history


def test_a_worktrees_report_has_the_adapters_that_serve_it(tmp_path):
    paths = StorePaths(tmp_path / "home")
    main = repository(tmp_path / "shelf")
    main.commit({"a.py": "x = 1\n"})
    main.git("worktree", "add", "-q", str(tmp_path / "branch"))
    with_history(paths, main.root)
    found = collect(paths, tmp_path / "branch", NOW)
    own = collect(paths, main.root, NOW)
    assert own.whose == ""
    assert found.whose == f"of {main.root}, which it belongs to"
    assert (found.active, found.adapters) == (own.active, own.adapters)
    assert found.repository == "branch"
    # What was trained and typed there is the main checkout's.
    assert (found.runs, found.feedback.total().shown) == ((), 0)
    assert found.whose in page(found)
    assert any(found.whose in line for line in summary(found))
