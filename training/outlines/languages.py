"""Which nodes of which tree-sitter grammar are functions, classes, blocks and documentation."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from importlib import import_module, metadata
from typing import Any

from .parts import Unparsed


@dataclass(frozen=True, slots=True)
class Language:
    """Names of nodes, as the language's grammar has them.

    ``grammars`` are (module, function) pairs; those behind the first are tried where it finds
    errors, and the one that finds least is kept. ``functions`` and ``classes`` are definitions,
    ``values`` functions without a name of their own. ``names`` are nodes around a definition, with
    the field that names it (``""``: none): what stands before them leads to it too. ``scopes`` are
    nodes that qualify a name, with the field they are called by; ``owners`` those whose functions
    are methods. ``blocks`` are bodies in braces. ``attributes`` may stand between a definition and
    its documentation. ``doc`` is what a comment must begin with to be documentation; ``inner`` is
    documentation at the beginning of a body.
    """

    grammars: tuple[tuple[str, str], ...]
    functions: frozenset[str]
    classes: frozenset[str]
    blocks: frozenset[str]
    doc: re.Pattern[str]
    values: frozenset[str] = frozenset()
    names: Mapping[str, str] = field(default_factory=dict)
    scopes: Mapping[str, str] = field(default_factory=dict)
    owners: frozenset[str] = frozenset()
    attributes: frozenset[str] = frozenset()
    inner: re.Pattern[str] | None = None

    def parsers(self) -> "list[Any]":
        """A parser for each grammar. Raises Unparsed if tree-sitter is not installed."""
        try:
            tree_sitter = import_module("tree_sitter")
            return [
                tree_sitter.Parser(tree_sitter.Language(getattr(import_module(module), function)()))
                for module, function in self.grammars
            ]
        except ImportError as error:
            raise Unparsed(f"no {error.name}: run `tenon setup train`") from None

    def version(self) -> str:
        """Of what parses it: outlines of another version are of no use."""
        return "/".join(_version(name) for name in ("tree_sitter", *dict(self.grammars)))


def _version(package: str) -> str:
    try:
        return metadata.version(package)
    except metadata.PackageNotFoundError:
        return "-"


def _names(text: str) -> frozenset[str]:
    return frozenset(text.split())


_C_DOC = re.compile(r"//|/\*")
"""Doxygen's marks, and plain comments directly above, as GNU's and Google's styles have it."""
_RECORDS = _names("struct_specifier union_specifier enum_specifier")
_C_NAMES = {"type_definition": "declarator", "declaration": "", "linkage_specification": ""}
_C_BLOCKS = _names("compound_statement field_declaration_list enumerator_list declaration_list")
_CPP = ("tree_sitter_cpp", "language")
_TSX = ("tree_sitter_typescript", "language_tsx")
_SCRIPT_NAMES = {
    "export_statement": "", "lexical_declaration": "", "variable_declaration": "",
    "variable_declarator": "name", "expression_statement": "", "pair": "key",
    "assignment_expression": "left", "field_definition": "property",
    "public_field_definition": "name", "ambient_declaration": "",
}  # fmt: skip

C = Language(
    grammars=(("tree_sitter_c", "language"), _CPP),  # a header may turn out to be C++
    functions=_names("function_definition"),
    classes=_RECORDS | {"class_specifier"},
    blocks=_C_BLOCKS,
    doc=_C_DOC,
    names={**_C_NAMES, "template_declaration": ""},
    scopes={"namespace_definition": "name"},
    attributes=_names("attribute_declaration"),
)
CPP = Language(
    grammars=(_CPP,),
    functions=C.functions,
    classes=C.classes,
    blocks=C.blocks,
    doc=C.doc,
    names=C.names,
    scopes=C.scopes,
    attributes=C.attributes,
)
GO = Language(
    grammars=(("tree_sitter_go", "language"),),
    functions=_names("function_declaration method_declaration"),
    classes=_names("struct_type"),
    blocks=_names("block field_declaration_list"),
    doc=re.compile(r"//(?!go:|nolint| \+build|export )|/\*"),
    values=_names("func_literal"),
    names={
        "type_declaration": "",
        "type_spec": "name",
        "var_declaration": "",
        "var_spec": "name",
        "short_var_declaration": "left",
        "expression_list": "",
    },
)
JAVA = Language(
    grammars=(("tree_sitter_java", "language"),),
    functions=_names("method_declaration constructor_declaration compact_constructor_declaration"),
    classes=_names("class_declaration enum_declaration record_declaration"),
    blocks=_names("block constructor_body class_body enum_body interface_body switch_block"),
    doc=re.compile(r"/\*\*(?!/)|///"),
    scopes={"interface_declaration": "name", "annotation_type_declaration": "name"},
    owners=_names("interface_declaration annotation_type_declaration"),
)
JAVASCRIPT = Language(
    # TypeScript's grammar reads the type annotations of Flow, too.
    grammars=(("tree_sitter_javascript", "language"), _TSX),
    functions=_names("function_declaration generator_function_declaration method_definition"),
    classes=_names("class_declaration abstract_class_declaration class enum_declaration"),
    blocks=_names("statement_block class_body switch_body enum_body interface_body"),
    doc=re.compile(r"/\*\*(?!/)"),
    values=_names("arrow_function function_expression generator_function"),
    names=_SCRIPT_NAMES,
    scopes={"internal_module": "name", "module": "name"},
    attributes=_names("decorator"),
)
TYPESCRIPT = Language(
    grammars=(
        ("tree_sitter_typescript", "language_typescript"),
        _TSX,
    ),
    functions=JAVASCRIPT.functions,
    classes=JAVASCRIPT.classes,
    blocks=JAVASCRIPT.blocks,
    doc=JAVASCRIPT.doc,
    values=JAVASCRIPT.values,
    names=JAVASCRIPT.names,
    scopes=JAVASCRIPT.scopes,
    attributes=JAVASCRIPT.attributes,
)
RUST = Language(
    grammars=(("tree_sitter_rust", "language"),),
    functions=_names("function_item"),
    classes=_names("struct_item enum_item union_item"),
    blocks=_names("block declaration_list field_declaration_list enum_variant_list match_block"),
    doc=re.compile(r'///(?!/)|/\*\*(?![*/])|#\[doc\s*=\s*"'),
    values=_names("closure_expression"),
    scopes={"impl_item": "type", "trait_item": "name", "mod_item": "name"},
    owners=_names("impl_item trait_item"),
    attributes=_names("attribute_item"),
    inner=re.compile(
        r'(?:\s*(?://![^\n]*|/\*!(?:[^*]|\*(?!/))*\*/|#!\[doc\s*=\s*"(?:[^"\\]|\\.)*"\s*\]))+'
    ),
)

LANGUAGES: Mapping[str, Language] = {
    "c": C, "cpp": CPP, "go": GO, "java": JAVA, "javascript": JAVASCRIPT, "rust": RUST,
    "typescript": TYPESCRIPT,
}  # fmt: skip
"""By :attr:`RepositoryFile.language`; Python has a parser of its own."""
