"""One home, and so one engine, for the tests of a file."""

import pytest

from tests.editors import end_engine, installed_home


@pytest.fixture(scope="module")
def home(tmp_path_factory):
    root = installed_home(tmp_path_factory.mktemp("home"))
    yield root
    end_engine(root)
