import textwrap

import pytest

from lsp_server.store.symbols import symbols


def found(language, text):
    text = textwrap.dedent(text).lstrip("\n")
    return {entry.qualified: entry for entry in symbols(language, text, text.split("\n"))}


PYTHON = '''
import os

LIMIT = 3


@cache
def area(
    width: int,  # in cm
    height: int,
) -> int:
    """The area.

    More of it.
    """
    return width * height


class Box(Base):
    """A box."""

    width: int = 0

    def __init__(self, width):
        self.width = width

    @property
    def size(self) -> int:
        """How large it is."""
        return 3

    def _hidden(self):
        pass

    async def open(self): ...


if True:
    def inner():
        return 1
'''


def test_python_definitions_have_places_and_heads():
    box = found("python", PYTHON)
    assert list(box) == ["LIMIT", "area", "Box", "Box.__init__", "Box.size", "Box._hidden",
                         "Box.open", "inner"]  # fmt: skip
    area = box["area"]
    assert (area.kind, area.first, area.last) == ("function", 5, 14)
    assert area.head == (
        "@cache\ndef area(\n    width: int,  # in cm\n    height: int,\n) -> int:\n"
        '    """The area."""\n    ...'
    )
    assert box["Box"].head == (
        'class Box(Base):\n    """A box."""\n    width: int = 0\n'
        "    def __init__(self, width): ...\n    @property\n    def size(self) -> int: ...\n"
        "    async def open(self): ..."
    )
    assert (box["Box.size"].kind, box["Box.size"].name) == ("method", "size")
    assert box["LIMIT"].head == "LIMIT = 3"


def test_heads_are_made_of_the_lines_that_are_given():
    text = 'def f():\n    """Mail a.b@corp.io."""\n    return 1\n'
    lines = ["def f():", "", "    return 1", ""]
    [symbol] = symbols("python", text, lines)
    assert symbol.head == "def f():\n    ..."


@pytest.mark.parametrize("text", ["def f(:\n", "x = '\0'\n", "(" * 5000])
def test_what_does_not_parse_defines_nothing(text):
    assert symbols("python", text, text.split("\n")) == ()


@pytest.mark.parametrize(
    ("language", "text", "expected"),
    [
        (
            "typescript",
            """
            /** A thing. */
            export class Foo<T> extends Bar {
              private x: number = 1;
              async get(id: string): Promise<T> {
                if (x) { return "}" }
                return y;
              }
            }
            export const make = async (a: number) => {
              return a;
            };
            export type Q = { a: 1 } | string;
            """,
            {
                "Foo": (0, 7, ("/** A thing. */\nexport class Foo<T> extends Bar {\n"
                              "  private x: number = 1;\n"
                              "  async get(id: string): Promise<T> { ... }\n}")),
                "Foo.get": (3, 6, "  async get(id: string): Promise<T> { ... }"),
                "make": (8, 10, "export const make = async (a: number) => { ... }"),
                "Q": (11, 11, "export type Q = { a: 1 } | string;"),
            },
        ),
        (
            "go",
            """
            // Foo does.
            func Foo(a int) (string, error) {
            \treturn "", nil
            }
            type Bar struct {
            \tA int
            }
            func (b *Bar) Run() error {
            \treturn nil
            }
            """,
            {
                "Foo": (0, 3, "// Foo does.\nfunc Foo(a int) (string, error) { ... }"),
                "Bar": (4, 6, "type Bar struct {\n\tA int\n}"),
                "Run": (7, 9, "func (b *Bar) Run() error { ... }"),
            },
        ),
        (
            "rust",
            """
            /// Doc
            #[derive(Debug)]
            pub struct P<T> {
                pub a: T,
            }
            impl<T> P<T> {
                pub fn new(a: T) -> Self {
                    P { a }
                }
            }
            """,
            {
                "P": (0, 4, "/// Doc\n#[derive(Debug)]\npub struct P<T> {\n    pub a: T,\n}"),
                "P.new": (6, 8, "    pub fn new(a: T) -> Self { ... }"),
            },
        ),
        (
            "java",
            """
            public class A extends B {
                /** doc */
                public List<T> names(int a) throws IOException {
                    return null;
                }
            }
            """,
            {
                "A": (0, 5, ("public class A extends B {\n"
                            "    public List<T> names(int a) throws IOException { ... }\n}")),
                "A.names": (1, 4, ("    /** doc */\n"
                                  "    public List<T> names(int a) throws IOException { ... }")),
            },
        ),
        (
            "cpp",
            """
            #define MAX 3
            static int add(int a,
                           int b)
            {
              return a + b;
            }
            void Foo::bar(int x) const {
              call(x);
            }
            """,
            {
                "MAX": (0, 0, "#define MAX 3"),
                "add": (1, 5, "static int add(int a,\n               int b)\n{ ... }"),
                "bar": (6, 8, "void Foo::bar(int x) const { ... }"),
            },
        ),
    ],
)  # fmt: skip
def test_other_languages_definitions_are_found_by_their_lines(language, text, expected):
    symbols_of = found(language, text)
    assert {
        name: (entry.first, entry.last, entry.head) for name, entry in symbols_of.items()
    } == expected


def test_text_in_no_language_defines_nothing():
    assert found("", "def f(): pass") == {}
