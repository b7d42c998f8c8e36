"""Files that no person wrote, and files that one did."""

from pathlib import Path

import pytest

import training
from training.curation.shape import refused_shape

CODE = Path(__file__).read_text(encoding="utf-8")


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("  \n\t\n", "no text"),
        (CODE + f"x = '{'a b ' * 250}'\n", "a very long line"),
        (f"x = {'a + ' * 50}1\n" * 5, "very long lines"),
        ("a\nb\n" * 50, "very short lines"),
        (f"{'abc_' * 9}\n" * 3, "very long words"),
        ("data = [\n" + "    123, 456, 7890,\n" * 20 + "]\n", "mostly digits"),
        ("# some words here\n" * 10 + "x_value = 1\n", "only comments"),
        ("".join(f"register(lambda name_{n}: name_{n})\nwait()\n" for n in range(9)), None),
        ("".join(f"wait until done\n{n} = value_of_{n}\n" for n in range(40)), "repetitive"),
        (CODE, None),
    ],
)
def test_reasons(text: str, reason: str | None):
    assert refused_shape(text, "python") == reason


def test_comments_are_those_of_the_language():
    text = "// some words here\n" * 20 + "int x_value = 1;\n"
    assert refused_shape(text, "c") == "only comments"
    assert refused_shape(text, "python") is None


def test_what_people_wrote_here_passes():
    folder = Path(training.__file__).parent
    refused = {
        path.relative_to(folder).as_posix(): refused_shape(text, "python")
        for path in folder.rglob("*.py")
        if len(text := path.read_text(encoding="utf-8")) > 200
    }
    assert len(refused) > 30
    assert not any(refused.values()), {key: why for key, why in refused.items() if why}
