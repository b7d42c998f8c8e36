"""The manifest on disk."""

from pathlib import Path

import pytest

from training.corpus import manifest
from training.corpus.licences import permissive
from training.corpus.manifest import ManifestError, Source, read_manifest, write_manifest

WHEEL = Source("2", "pypi:rich==14.2.0", "ab" * 32, "MIT License", 3, 4000)
COMMIT = Source("1", "github:somebody/thing@0123", "", "MIT")


def test_it_comes_back_group_by_group(tmp_path):
    path = tmp_path / "manifest.csv"
    write_manifest(path, [WHEEL, COMMIT])
    assert read_manifest(path) == [COMMIT, WHEEL]


def test_a_source_has_a_kind_and_says_what_it_is():
    assert (COMMIT.kind, COMMIT.what) == ("github", "somebody/thing@0123")


@pytest.mark.parametrize(
    "source", [Source("4", "pypi:a==1", "", "MIT"), Source("1", "npm:a==1", "", "MIT")]
)
def test_what_is_not_understood_is_refused(tmp_path, source):
    path = tmp_path / "manifest.csv"
    write_manifest(path, [source])
    with pytest.raises(ManifestError, match="not understood"):
        read_manifest(path)


def test_other_columns_are_refused(tmp_path):
    path = tmp_path / "manifest.csv"
    path.write_text("name,version\n")
    with pytest.raises(ManifestError, match="columns"):
        read_manifest(path)


def test_our_own_manifest_names_each_source_once_under_a_licence_that_we_take():
    sources = read_manifest(Path(manifest.__file__).with_name("manifest.csv"))
    assert len({source.what.partition("==")[0] for source in sources}) == len(sources)
    assert [source.name for source in sources if not permissive(source.licence)] == []
    assert all(len(source.sha256) == 64 for source in sources if source.kind == "pypi")
