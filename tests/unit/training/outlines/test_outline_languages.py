"""What is learnt of each language: exact places in small sources of its own conventions."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from training.outlines.languages import LANGUAGES
from training.outlines.outline import Unparsed, outline, parse
from training.outlines.parts import BODY_WEIGHT, MAX_CHARACTERS, MIN_CHARACTERS

pytest.importorskip("tree_sitter", reason="needs tree-sitter: run `tenon setup train`")

JAVASCRIPT = """\
// Größe 𝄞 🙂
/**
 * Adds one.
 * @param {number} a größer
 */
// eslint-disable-next-line
export const add = async (a) => { // here
  return a + 1;
};

/** Doubles. */ const twice = (a) => a * 2, half = (a) => { return a / 2; };
let t = 1; /** Of t. */
function* gen() { yield 'ü🙂'; }
export default function () { return 1; }

/** Shape. */
class Shape extends Base {
  /** Its size. */
  get size() { return this.#s; }
  static of = () => new Shape();
  #p() {}
  constructor(a) { super(a); }
}
Shape.prototype.area = function (q) { return q; };
module.exports = { kind: function () { return 2; }, m() { return 3; } };
items.map((a) => { return a.b; });
function later() { throw new Error("not implemented"); }
"""
TYPESCRIPT = """\
function over(a: string): string;
function over(a: number): number;
/** Over all. */
function over(a: any) { return a; }
declare function absent(): void;
interface Face { f(): void }
export abstract class Box<T> {
  abstract f(): void;
  g2(a: string): void;
  /** Gives. */
  @once() g(): T { return this.é; }
}
namespace Deep { export function z(): number { return 1; } }
enum Kind { A = 1, B }
"""
TSX = 'export const Card: FC<P> = ({a}) => {\n  return <p className="x">{a}</p>;\n};\n'
GO = """\
package shelf

// size is trailing. */
var x = 1 // of x
func bare() int { return x }

// Find finds ü.
//
// It may fail.
//
//go:noinline
func Find(a int) (int, error) {
	return a, nil
}

// Put puts.
func (s *Shelf[T]) Put(a T) { s.all = append(s.all, a) }

// Shelf holds.
type Shelf[T any] struct {
	all []T
}

type (
	// Row is one.
	Row struct{ n int }
)

type Finder interface { Find() }

func later() { panic("not implemented") }

// Far away.

func near() { f() }
"""
RUST = """\
//! The crate.

/// Adds ü.
/// Twice.
#[inline]
pub fn add(a: i32) -> i32 {
    a + 1
}

#[doc = "A row."]
#[derive(Debug)]
struct Row<T> { all: Vec<T> }

impl<T> Finder for Row<T> {
    /** Finds. */
    fn find(&self) -> bool { self.all.any() }
}

trait Finder {
    fn find(&self) -> bool;
    /// Given.
    fn twice(&self) { self.find(); }
}

mod deep {
    //! Of deep.
    pub async fn wait() { x.await }
}

fn inner() {
    //! Inside.
    //! Still.
    g();
}

fn later() { todo!() }
"""
JAVA = """\
package shelf;

/**
 * A shelf.
 */
@Entity
public class Shelf<T> {
    /// New.
    Shelf() { this.n = 1; }

    /** Finds ü. */
    @Override
    public int find() { return n; }

    abstract int absent();
    void later() { throw new UnsupportedOperationException("x"); }
    record Row(int a) { Row { check(a); } }
}
interface Finder { int find(); default int twice() { return 2; } }
enum Kind { A, B; int n() { return 1; } }
"""
C = """\
/**
 * Adds ü.
 */
static int *add(int a)
{
    return a + 1;
}

int after; /**< Trails. */
int absent(void);
/* The GNU way. */
int gnu(void) { return 0; }

/// A row.
//! Of all.
typedef struct { int n; } row;
struct node { struct node *next; };
int (*pick(void))(int) { return 0; }
"""
CPP = """\
namespace shelf {

/// Finds.
template <typename T>
T find(T a) { return a; }

class Row {
 public:
  /*! Its size. */
  int size() const { return n; }
  Row() : n(1) { check(); }
  ~Row() = default;
  virtual int absent() = 0;
  bool operator==(const Row &o) const { return true; }
};

int Row::area() { return 2; }
}

template <class T> T &Box<T>::get() { return t; }
extern "C" int plain() { return 1; }
"""


def shown(text: str, language: str) -> list[tuple[str, str, str, str, str]]:
    """Every pair: its name and kind, what leads to the body, the body, the documentation."""
    return [
        (pair.name, pair.kind, text[pair.start : pair.body[0]], text[slice(*pair.body)],
         pair.docstring)
        for pair in outline(text, language).pairs
    ]  # fmt: skip


def without_classes(text: str, language: str) -> list[tuple[str, str, str, str, str]]:
    return [entry for entry in shown(text, language) if entry[1] != "class"]


def test_javascript():
    assert without_classes(JAVASCRIPT, "javascript") == [
        (
            "add", "function",
            JAVASCRIPT[len("// Größe 𝄞 🙂\n") : JAVASCRIPT.index("\n  return a + 1")],
            "\n  return a + 1;", "Adds one.\n@param {number} a größer",
        ),
        ("twice", "function", "/** Doubles. */ const twice = (a) =>", " a * 2", "Doubles."),
        ("half", "function", "half = (a) => {", " return a / 2;", ""),
        ("gen", "function", "function* gen() {", " yield 'ü🙂';", ""),
        ("default", "function", "export default function () {", " return 1;", ""),
        ("Shape.size", "method", "/** Its size. */\n  get size() {", " return this.#s;",
         "Its size."),
        ("Shape.of", "method", "static of = () =>", " new Shape()", ""),
        ("Shape.constructor", "method", "constructor(a) {", " super(a);", ""),
        ("Shape.area", "function", "Shape.prototype.area = function (q) {", " return q;", ""),
        ("kind", "function", "kind: function () {", " return 2;", ""),
        ("m", "function", "m() {", " return 3;", ""),
    ]  # fmt: skip
    (shape,) = [pair for pair in outline(JAVASCRIPT, "javascript").pairs if pair.kind == "class"]
    assert JAVASCRIPT[shape.start : shape.body[0]] == "/** Shape. */\nclass Shape extends Base {"
    assert JAVASCRIPT[shape.body[1] : shape.end] == "\n}"


def test_the_end_of_a_definition_is_that_of_all_around_it():
    first, *_ = outline(JAVASCRIPT, "javascript").pairs
    assert JAVASCRIPT[first.body[1] : first.end] == "\n};"
    text = "/** T. */\ntypedef struct { int n; } row;\n"
    (row,) = outline(text, "c").pairs
    assert text[row.body[1] : row.end] == " } row;"


def test_typescript():
    assert without_classes(TYPESCRIPT, "typescript") == [
        (
            "over",
            "function",
            "/** Over all. */\nfunction over(a: any) {",
            " return a;",
            "Over all.",
        ),
        ("Box.g", "method", "/** Gives. */\n  @once() g(): T {", " return this.é;", "Gives."),
        ("Deep.z", "function", "export function z(): number {", " return 1;", ""),
    ]  # fmt: skip
    classes = [entry for entry in shown(TYPESCRIPT, "typescript") if entry[1] == "class"]
    assert [(name, head) for name, _, head, _, _ in classes] == [
        ("Box", "export abstract class Box<T> {"), ("Kind", "enum Kind {"),
    ]  # fmt: skip


def test_typescript_with_elements_is_told_from_typescript_with_casts():
    ((name, _, head, body, _),) = shown(TSX, "typescript")
    assert (name, head) == ("Card", "export const Card: FC<P> = ({a}) => {")
    assert body == '\n  return <p className="x">{a}</p>;'
    ((_, _, _, cast, _),) = shown("function f(a: any) { return <string>a; }", "typescript")
    assert cast == " return <string>a;"


def test_javascript_with_types_is_read_too():
    assert shown("function f(a: ?string): number { return 1; }", "javascript")[0][3] == " return 1;"


def test_go():
    assert shown(GO, "go") == [
        ("bare", "function", "func bare() int {", " return x", ""),
        (
            "Find", "function",
            GO[GO.index("// Find finds") : GO.index("\n\treturn a, nil")],
            "\n\treturn a, nil", "Find finds ü.\n\nIt may fail.",
        ),
        ("Shelf.Put", "method", "// Put puts.\nfunc (s *Shelf[T]) Put(a T) {",
         " s.all = append(s.all, a)", "Put puts."),
        ("Shelf", "class", "// Shelf holds.\ntype Shelf[T any] struct {", "\n\tall []T",
         "Shelf holds."),
        ("Row", "class", "// Row is one.\n\tRow struct{", " n int", "Row is one."),
        ("near", "function", "func near() {", " f()", ""),
    ]  # fmt: skip


def test_rust():
    assert shown(RUST, "rust") == [
        ("add", "function", "/// Adds ü.\n/// Twice.\n#[inline]\npub fn add(a: i32) -> i32 {",
         "\n    a + 1", "Adds ü.\nTwice."),
        ("Row", "class", '#[doc = "A row."]\n#[derive(Debug)]\nstruct Row<T> {', " all: Vec<T>",
         "A row."),
        ("Row.find", "method", "/** Finds. */\n    fn find(&self) -> bool {", " self.all.any()",
         "Finds."),
        ("Finder.twice", "method", "/// Given.\n    fn twice(&self) {", " self.find();", "Given."),
        ("deep.wait", "function", "pub async fn wait() {", " x.await", ""),
        ("inner", "function", "fn inner() {\n    //! Inside.\n    //! Still.", "\n    g();",
         "Inside.\nStill."),
    ]  # fmt: skip


def test_java():
    assert without_classes(JAVA, "java") == [
        ("Shelf.Shelf", "method", "/// New.\n    Shelf() {", " this.n = 1;", "New."),
        ("Shelf.find", "method", "/** Finds ü. */\n    @Override\n    public int find() {",
         " return n;", "Finds ü."),
        ("Shelf.Row.Row", "method", "Row {", " check(a);", ""),
        ("Finder.twice", "method", "default int twice() {", " return 2;", ""),
        ("Kind.n", "method", "int n() {", " return 1;", ""),
    ]  # fmt: skip
    classes = [entry for entry in shown(JAVA, "java") if entry[1] == "class"]
    assert [(name, text) for name, _, _, _, text in classes] == [
        ("Shelf", "A shelf."), ("Shelf.Row", ""), ("Kind", ""),
    ]  # fmt: skip
    assert classes[0][2] == "/**\n * A shelf.\n */\n@Entity\npublic class Shelf<T> {"


def test_c():
    assert shown(C, "c") == [
        ("add", "function", "/**\n * Adds ü.\n */\nstatic int *add(int a)\n{",
         "\n    return a + 1;", "Adds ü."),
        ("gnu", "function", "/* The GNU way. */\nint gnu(void) {", " return 0;", "The GNU way."),
        ("row", "class", "/// A row.\n//! Of all.\ntypedef struct {", " int n;",
         "A row.\nOf all."),
        ("node", "class", "struct node {", " struct node *next;", ""),
        ("pick", "function", "int (*pick(void))(int) {", " return 0;", ""),
    ]  # fmt: skip


def test_cpp():
    assert without_classes(CPP, "cpp") == [
        ("shelf.find", "function", "/// Finds.\ntemplate <typename T>\nT find(T a) {",
         " return a;", "Finds."),
        ("shelf.Row.size", "method", "/*! Its size. */\n  int size() const {", " return n;",
         "Its size."),
        ("shelf.Row.Row", "method", "Row() : n(1) {", " check();", ""),
        ("shelf.Row.operator==", "method", "bool operator==(const Row &o) const {",
         " return true;", ""),
        ("shelf.Row.area", "method", "int Row::area() {", " return 2;", ""),
        ("Box.get", "method", "template <class T> T &Box<T>::get() {", " return t;", ""),
        ("plain", "function", 'extern "C" int plain() {', " return 1;", ""),
    ]  # fmt: skip


def test_a_macro_before_a_classs_name_makes_it_no_function():
    text = "struct SHELF_API Row {\n  int size() { return 1; }\n};\n"
    assert next(entry[:2] for entry in shown(text, "cpp")) == ("Row", "class")


def test_a_header_in_cpp_is_read_although_it_is_called_c():
    assert [name for name, *_ in without_classes(CPP, "c")] == [
        name for name, *_ in without_classes(CPP, "cpp")
    ]


def test_nodes_are_expressions_and_statements_once_each():
    text = "function f(a) {\n  // größer als\n  return call(a, 'größe');\n}\n"
    found = outline(text, "javascript")
    cut = [text[start:end] for start, end in found.nodes]
    assert {"call(a, 'größe')", "return call(a, 'größe');", "'größe'"} <= set(cut)
    assert len(cut) == len(set(found.nodes))
    assert all(MIN_CHARACTERS <= len(node) <= MAX_CHARACTERS for node in cut)
    assert not any(node.startswith("//") for node in cut)
    # A comment before the first statement belongs to the body.
    assert [text[slice(*block)] for block in found.blocks] == [
        "// größer als\n  return call(a, 'größe');"
    ]
    assert [text[slice(*function)] for function in found.functions] == [text[:-1]]


def test_lines_of_a_functions_body_are_likelier():
    text = "x();\nfunction f() {\n  é();\n\n  return 1;\n}\ny();\n"
    weights = outline(text, "javascript").weights
    each = [after - before for before, after in zip((0, *weights), weights, strict=False)]
    assert [each[0], each[2], each[3], each[-1]] == [1, BODY_WEIGHT, BODY_WEIGHT, 1]


def test_a_long_class_is_learnt_up_to_its_first_method():
    rest = "".join(f"  void m{n}() {{ x({n}); }}\n" for n in range(70))
    text = f"class A {{\n  int a;\n\n  /** F. */\n  int f() {{ return a; }}\n\n{rest}}}\n"
    ((_, _, _, body, _),) = [entry for entry in shown(text, "java") if entry[1] == "class"]
    assert body == "\n  int a;\n\n  /** F. */\n  int f() { return a; }"


@pytest.mark.parametrize("language", LANGUAGES)
def test_what_is_no_source_is_not_parsed(language: str):
    text = "\n\n<<<<<<< ours\n)) ]] {{ ?? ((\n=======\n" + ")) ]] ~~ ((\n" * 20
    with pytest.raises(Unparsed, match=r"^syntax error in line [1-9]"):
        parse(text, language)
    with pytest.raises(Unparsed, match="no text"):
        parse("\n \n", language)
    with pytest.raises(Unparsed, match="character"):
        parse("// \ud800\n", language)


def test_a_small_error_costs_what_it_stands_in_and_no_more():
    good = "".join(f"int f{n}(void) {{ return {n}; }}\n" for n in range(30))
    text = good + "int bad(void) { return 1 1; }\n"
    assert [name for name, *_ in shown(text, "c")] == [f"f{n}" for n in range(30)]


def test_no_depth_does_harm():
    for opening, closing in (("(", ")"), ("[", "]"), ("{", "}")):
        found = outline("x = " + opening * 20_000 + closing * 20_000 + ";\n", "javascript")
        assert found is None or found.lines
    assert outline("!" * 50_000 + "x;", "javascript").nodes


SOURCES = {
    "javascript": JAVASCRIPT, "typescript": TYPESCRIPT, "go": GO, "rust": RUST, "java": JAVA,
    "c": C, "cpp": CPP,
}  # fmt: skip


@given(language=st.sampled_from(sorted(SOURCES)), letter=st.sampled_from("aéß語🙂𝄞"))
def test_offsets_are_characters_whatever_they_take_in_bytes(language: str, letter: str):
    # A comment before everything moves all by as many characters as it has.
    text, head = SOURCES[language], f"/* {letter * 5} */\n\n"
    plain, moved = outline(text, language), outline(head + text, language)
    for before, after in (
        (plain.nodes, moved.nodes), (plain.blocks, moved.blocks),
        (plain.functions, moved.functions), ([pair.body for pair in plain.pairs],
                                             [pair.body for pair in moved.pairs]),
    ):  # fmt: skip
        assert [(start + len(head), end + len(head)) for start, end in before] == list(after)


@given(
    language=st.sampled_from(sorted(SOURCES)),
    at=st.integers(0, 2000),
    cut=st.integers(0, 40),
    put=st.text("aé🙂{}()/*\n\"' ;", max_size=8),
)
def test_no_damage_breaks_more_than_the_file(language: str, at: int, cut: int, put: str):
    text = SOURCES[language]
    damaged = text[:at] + put + text[at + cut :]
    found = outline(damaged, language)
    if found is None:
        return
    size = len(damaged)
    for start, end in (*found.nodes, *found.blocks, *found.functions):
        assert 0 <= start < end <= size
    for pair in found.pairs:
        assert 0 <= pair.start < pair.body[0] < pair.body[1] <= pair.end <= size
        assert damaged[slice(*pair.body)].strip()
