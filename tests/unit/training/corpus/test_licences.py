"""Which licences we take."""

import pytest

from training.corpus.licences import declared, permissive


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("MIT", True),
        ("BSD-3-Clause", True),
        ("BSD License", True),
        ("Apache Software License", True),
        ("Apache-2.0 OR GPL-2.0-or-later", True),
        ("MIT AND (BSD-2-Clause OR LGPL-2.1-or-later)", False),
        ("MIT License AND Mozilla Public License 2.0 (MPL 2.0)", False),
        ("GNU General Public License v3 (GPLv3)", False),
        ("BSD License AND Other/Proprietary License", False),
        ("Zope Public License", True),
        ("PSF-2.0", True),
        ("UNKNOWN", False),
        ("", False),
    ],
)
def test_permissive(name, expected):
    assert permissive(name) is expected


def test_the_newest_kind_of_declaration_wins():
    classifiers = ["License :: OSI Approved :: MIT License", "Framework :: Django"]
    assert declared("BSD-3-Clause", classifiers, "GPL") == "BSD-3-Clause"
    assert declared(None, classifiers, "GPL") == "MIT License"
    assert declared(None, ["License :: OSI Approved"], "ISC\nlong text") == "ISC"
    assert not declared(None, [], None)
