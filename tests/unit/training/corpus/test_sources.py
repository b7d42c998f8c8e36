"""The files of a source."""

import hashlib
import subprocess
import sys
import zipfile

import pytest

from training.corpus.manifest import ManifestError, Source
from training.corpus.sources import python_files, wheel_licence, wheels


def make_wheel(folder, licence="MIT", year=2025):
    path = folder / "thing-1.0-py3-none-any.whl"
    with zipfile.ZipFile(path, "w") as archive:
        for name, text in (
            ("thing/b.py", "b = 2\n"),
            ("thing/a.py", "a = 1\n"),
            ("thing/data.json", "{}"),
            ("thing-1.0.dist-info/METADATA", f"Name: thing\nLicense-Expression: {licence}\n"),
        ):
            archive.writestr(zipfile.ZipInfo(name, (year, 6, 1, 0, 0, 0)), text)
    return path


def source_of(wheel):
    return Source("1", "pypi:thing==1.0", hashlib.sha256(wheel.read_bytes()).hexdigest(), "MIT")


def test_a_wheel_gives_its_python_files_in_order(tmp_path):
    wheel = make_wheel(tmp_path)
    source = source_of(wheel)
    assert wheel_licence(wheel) == "MIT"
    found = wheels(tmp_path)[source.sha256]
    assert list(python_files(source, found, tmp_path)) == [
        ("thing/a.py", b"a = 1\n"),
        ("thing/b.py", b"b = 2\n"),
    ]


@pytest.mark.parametrize(
    ("changes", "message"), [({"licence": "GPL-3.0-only"}, "licence"), ({"year": 2026}, "newer")]
)
def test_what_a_wheel_says_of_itself_is_believed_over_the_manifest(tmp_path, changes, message):
    wheel = make_wheel(tmp_path, **changes)
    with pytest.raises(ManifestError, match=message):
        list(python_files(source_of(wheel), wheel, tmp_path))


def test_a_missing_wheel_is_an_error(tmp_path):
    with pytest.raises(ManifestError, match="no wheel"):
        list(python_files(Source("1", "pypi:thing==1.0", "00", "MIT"), None, tmp_path))


def test_a_repository_is_read_at_its_commit(tmp_path):
    folder = tmp_path / "somebody+thing"
    (folder / "inner").mkdir(parents=True)
    (folder / "inner" / "a.py").write_text("a = 1\n")
    (folder / "b.py").write_text("b = 2\n")
    (folder / "notes.txt").write_text("no code\n")
    git = ["git", "-C", str(folder), "-c", "user.name=T", "-c", "user.email=t@example.org"]
    for command in (["init", "-q"], ["add", "."], ["commit", "-q", "-m", "one"]):
        subprocess.run([*git, *command], check=True)
    commit = subprocess.run([*git, "rev-parse", "HEAD"], check=True, capture_output=True, text=True)
    (folder / "b.py").write_text("changed = True\n")
    source = Source("1", f"github:somebody/thing@{commit.stdout.strip()}", "", "MIT")
    assert list(python_files(source, None, tmp_path)) == [
        ("b.py", b"b = 2\n"),
        ("inner/a.py", b"a = 1\n"),
    ]


def test_the_standard_library_is_that_of_the_running_python(tmp_path):
    version = ".".join(map(str, sys.version_info[:3]))
    files = dict(python_files(Source("1", f"cpython:{version}", "", "PSF-2.0"), None, tmp_path))
    assert "json/decoder.py" in files
    assert not any("site-packages" in path for path in files)
    with pytest.raises(ManifestError, match="run the build"):
        list(python_files(Source("1", "cpython:2.7.18", "", "PSF-2.0"), None, tmp_path))
