"""Which files are tests, and how much of them is taken."""

import pytest

from training.curation.testcode import is_test, share_of_tests

CODE = "def area(width, height):\n    return width * height\n"


@pytest.mark.parametrize(
    ("path", "language"),
    [
        ("tests/helpers.py", "python"), ("src/pkg/Tests/a.py", "python"),
        ("src/test_area.py", "python"), ("area_test.py", "python"), ("conftest.py", "python"),
        ("src/area.test.ts", "typescript"), ("src/area.spec.jsx", "javascript"),
        ("src/__tests__/area.js", "javascript"), ("pkg/area_test.go", "go"),
        ("src/tests.rs", "rust"), ("src/test/java/Area.java", "java"),
        ("src/AreaTest.java", "java"), ("src/AreaTests.java", "java"), ("AreaIT.java", "java"),
        ("area_unittest.cc", "cpp"), ("test_area.c", "c"), ("area-test.cpp", "cpp"),
    ],
)  # fmt: skip
def test_by_path(path: str, language: str):
    assert is_test(path, language, CODE)


@pytest.mark.parametrize(
    ("path", "language"),
    [
        ("src/area.py", "python"), ("src/latest.py", "python"), ("src/contest_area.py", "python"),
        ("pkg/testify.go", "go"), ("src/Attestation.java", "java"), ("src/Latest.java", "java"),
        ("src/fastest.rs", "rust"), ("src/testament.ts", "typescript"), ("protest.c", "c"),
    ],
)  # fmt: skip
def test_other_paths_are_none(path: str, language: str):
    assert not is_test(path, language, CODE)


TESTS = {
    "python": "def test_area():\n    width = 2\n    assert area(width, 3) == 6\n",
    "go": "func TestArea(t *testing.T) {\n\tif Area(2, 3) != 6 {\n\t\tt.Fatal()\n\t}\n}\n",
    "java": "    @Test\n    void area() {\n        assertEquals(6, area(2, 3));\n    }\n",
    "rust": "    #[test]\n    fn area() {\n        assert_eq!(area(2, 3), 6);\n    }\n",
    "cpp": "TEST(Area, OfSquare) {\n  EXPECT_EQ(area(2, 2), 4);\n}\n",
    "javascript": "  it('has an area', () => {\n    expect(area(2, 3)).toBe(6);\n  });\n",
}
TESTS["typescript"] = TESTS["javascript"]


@pytest.mark.parametrize("language", sorted(TESTS))
def test_by_what_most_of_it_is(language: str):
    assert is_test("src/checks", language, TESTS[language] * 3)
    assert not is_test("src/area", language, "x = area(w, h);\n" * 500 + TESTS[language])


def test_tests_get_a_quarter():
    code, tests = (600, False), (1_200, True)
    share = share_of_tests([code, tests])
    assert 1_200 * share == pytest.approx(0.25 * (600 + 1_200 * share))
    assert share_of_tests([code, (200, True)]) == 1
    assert share_of_tests([code, (200, True)], 0.1) == pytest.approx(1 / 3)
    assert share_of_tests([tests]) == share_of_tests([code]) == share_of_tests([]) == 1
