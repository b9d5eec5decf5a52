"""Reads YAML as kubectl does: go-yaml's version 2, then JSON (sigs.k8s.io/yaml).

PyYAML has the same grammar but resolves scalars differently: 1:30 is 90 in PyYAML and text in kubectl; 1e3 is text and
a thousand; 3600.0 is a fraction and a whole number. So PyYAML parses the text, and this module resolves the nodes. It
also divides a text into documents as kubectl does, and allows the tabs that go-yaml allows. If a key occurs twice,
kubectl silently uses the last one. Here it is an error, because one of the two has no effect.
"""

from __future__ import annotations

import base64
import binascii
import json
import re
import struct
from collections.abc import Iterator, Mapping, Sequence
from decimal import Decimal
from math import isfinite
from typing import Any, ClassVar

import yaml

Json = Any
"""Values that json.loads returns."""

_TAG = "tag:yaml.org,2002:"
_PLAIN = "plain"
"""Stands for the tag of a scalar that is neither quoted nor tagged."""
_CONSTANTS: Mapping[str, bool | None] = {
    **dict.fromkeys(("y", "Y", "yes", "Yes", "YES", "true", "True", "TRUE", "on", "On", "ON"), True),
    **dict.fromkeys(("n", "N", "no", "No", "NO", "false", "False", "FALSE", "off", "Off", "OFF"), False),
    **dict.fromkeys(("", "~", "null", "Null", "NULL")),
}
_NOT_FINITE = re.compile(r"[-+]?\.(?:inf|Inf|INF)|\.(?:nan|NaN|NAN)")
_INTEGER = re.compile(
    r"(?P<sign>[-+]?)(?:0[bB](?P<two>[01]+)|0[xX](?P<sixteen>[0-9a-fA-F]+)|0[oO]?(?P<eight>[0-7]+)|(?P<ten>0|[1-9]\d*))",
    re.ASCII,
)
_SIGN_INSIDE = re.compile(r"^0b(?P<sign>[-+])(?=[01])")
"""Matches where go-yaml also accepts the sign of a number in base 2."""
_FLOAT = re.compile(r"[-+]?(?:\.\d+|\d+(?:\.\d*)?)(?:[eE][-+]?\d+)?", re.ASCII)
_SURROGATE = re.compile("[\ud800-\udfff]")
_LONGEST_INTEGER = 20
"""Maximum number of characters of a whole number that may fit into 64 bits."""
_LONGEST_DIGITS = 70
"""The same in base 2."""
_MOST_PLACES = 6
"""Maximum number of digits before the point of a fraction that is a key; larger ones have an exponent."""
_FEW_ALIASED, _FEW_READ = 100, 1000
"""go-yaml allows any share of aliased nodes up to these numbers of aliased nodes and of all nodes."""
_SMALL, _LARGE = 400_000, 4_000_000
_SHARE_IN_SMALL, _SHARE_IN_LARGE = 0.99, 0.1
"""Largest share of aliased nodes in a document of up to _SMALL nodes, and in one from _LARGE nodes on."""
_JSON_BLANKS = re.compile(r"[ \t\r\n]*")
_REST_OF_LINE = re.compile(r"[^\S\n]*\n?")
_SEPARATOR = "---"
_VERSION = (1, 1)
"""The version of YAML that go-yaml reads."""
_BREAKS = "\r\n\x85\u2028\u2029"
_BLOCK_HEADER = re.compile(r"(?:[-+][1-9]?|[1-9][-+]?)?")
_CHOMPING = {"+": True, "-": False, "": None}
_WORD = rf"[^ \t\0{_BREAKS}:]|:(?![ \t\0{_BREAKS}])"
_WORD_IN_BLOCK = re.compile(rf"(?:{_WORD})*")
_WORD_IN_FLOW = re.compile(rf"(?:(?![,?\[\]{{}}])(?:{_WORD}))*")
"""Match a part of a plain scalar. In brackets and braces, more characters end it."""


def documents(text: str) -> Iterator[tuple[int, Json]]:
    """Yields the documents of manifests that are not empty: the line at which each begins, from 0, and its value.

    Args:
        text: YAML or JSON.

    Raises:
        yaml.MarkedYAMLError: a document is neither JSON nor YAML, has no counterpart in JSON, or sets a key twice.
        ValueError: a key of a JSON object is given twice.
        RecursionError: it nests too deep.
    """
    at = 0
    if text.lstrip().startswith("{"):
        found, at = _json_documents(text)
        yield from found
    for line, chunk in _chunks(text[at:], text.count("\n", 0, at)):
        node = _Parser(chunk, line).get_single_node()
        if node is not None and (value := _Values(last_wins=False).of(node)) is not None:
            yield node.start_mark.line, value


def first_document(text: str) -> Json:
    """Returns the value of the first document of a kubeconfig; None if it is empty.

    kubectl does not split a kubeconfig as it splits manifests: YAML decides where a document begins, so that directives
    can precede the dashes, and content can follow them. Of a key that is set twice, it takes the last value.

    Args:
        text: YAML or JSON.

    Raises:
        yaml.MarkedYAMLError: the document is not YAML, or has no counterpart in JSON.
        RecursionError: it nests too deep.
    """
    parser = _Parser(text, 0)
    if not parser.check_node():
        return None
    start = parser.peek_event()  # type: ignore[no-untyped-call]
    if start.version not in (None, _VERSION):
        problem = "the directive %YAML names a version that kubectl does not read: write 1.1, or remove the line"
        raise yaml.parser.ParserError(None, None, problem, start.start_mark)
    node = parser.get_node()
    return None if node is None else _Values(last_wins=True).of(node)


def _chunks(text: str, first: int) -> Iterator[tuple[int, str]]:
    """Yields the first line and the text of each document.

    kubectl splits at lines that begin with three dashes, before it parses YAML: each document can begin with a byte
    order mark, only blanks or a comment can follow the dashes, and no directive can precede them. Dashes with nothing
    before them begin a document, and are part of it. It also ends the last line, so that a block of text ends with a
    line break.

    Args:
        text: The documents.
        first: The line of the file at which they begin, from 0.
    """
    lines = (text if text.endswith("\n") else f"{text}\n").split("\n")
    start = 0
    for number, line in enumerate(lines):
        if not line.startswith(_SEPARATOR):
            continue
        if (rest := line.removeprefix(_SEPARATOR).strip()) and not rest.startswith("#"):
            raise _refused("content follows --- in the same line", first + number)
        if number > start:
            yield first + start, _chunk(lines[start:number], first + start)
            start = number + 1
    yield first + start, _chunk(lines[start:-1], first + start)


def _chunk(lines: Sequence[str], first: int) -> str:
    for number, line in enumerate(lines):
        written = line.removeprefix("\ufeff")
        if written.startswith("%"):
            raise _refused("kubectl reads no directives in manifests", first + number)
        if written.strip() and not written.startswith(("#", _SEPARATOR)):
            break
    return "\n".join([*lines, ""])


def _refused(problem: str, line: int) -> yaml.MarkedYAMLError:
    return yaml.scanner.ScannerError(None, None, problem, yaml.Mark("", 0, line, 0, None, 0))


def _json_documents(text: str) -> tuple[list[tuple[int, Json]], int]:
    """Returns the values of a stream of JSON, and where YAML begins.

    kubectl reads JSON as far as it can, and YAML from the first or the second value on that is not JSON.
    """
    decoder = json.JSONDecoder(
        object_pairs_hook=_unique,
        parse_float=_json_float,
        parse_int=lambda digits: _json_float(digits) if len(digits) > _LONGEST_INTEGER else json_number(int(digits)),
        parse_constant=_refuse_constant,
    )
    found: list[tuple[int, Json]] = []
    end = 0
    while (at := _end_of(_JSON_BLANKS, text, end)) < len(text):
        line = text.count("\n", 0, at)
        try:
            value, at = decoder.raw_decode(text, at)
        except json.JSONDecodeError as error:
            if len(found) > 1:
                raise ValueError(f"line {line + 1}: only JSON can follow two JSON objects without ---") from error
            return found, _end_of(_REST_OF_LINE, text, end)
        found.append((line, value))
        end = at
    return [(line, value) for line, value in found if value is not None], len(text)


def _end_of(pattern: re.Pattern[str], text: str, start: int) -> int:
    return pattern.match(text, start).end()  # type: ignore[union-attr]


def _json_float(digits: str) -> int | float:
    if not isfinite(value := float(digits)):
        raise ValueError(f"number {digits[:_LONGEST_INTEGER]} is out of range")
    return json_number(value)


def _unique(pairs: list[tuple[str, Json]]) -> dict[str, Json]:
    found: dict[str, Json] = {}
    for key, value in pairs:
        if key in found:
            raise ValueError(f"key {key!r} is set twice")
        found[key] = value
    return found


def _refuse_constant(text: str) -> Json:
    raise json.JSONDecodeError(f"{text} is not JSON", text, 0)


class _Parser(yaml.SafeLoader):
    """Composes nodes without resolving scalars.

    PyYAML allows no tabs outside of quotes. go-yaml allows them wherever they do not indent.

    Args:
        text: One document.
        line: The line at which it begins, from 0.
    """

    ESCAPE_REPLACEMENTS: ClassVar = {  # type: ignore[misc]
        **{letter: character for letter, character in yaml.SafeLoader.ESCAPE_REPLACEMENTS.items() if letter != "/"},
        "'": "'",
    }

    def __init__(self, text: str, line: int) -> None:
        super().__init__(text)
        self.line = line

    def scan_to_next_token(self) -> None:
        while True:
            super().scan_to_next_token()
            if self.peek() != "\t" or not (self.flow_level or not self.allow_simple_key):
                return
            self.forward()

    def scan_tag(self) -> yaml.TagToken:
        end = self.pointer
        while self.buffer[end] not in f" \t\0{_BREAKS}":
            end += 1
        if self.buffer[end] == "\t":  # PyYAML requires a space.
            self.buffer = f"{self.buffer[:end]} {self.buffer[end + 1 :]}"
        return super().scan_tag()

    def scan_block_scalar_indicators(self, start_mark: yaml.Mark) -> tuple[bool | None, int | None]:
        """Returns how line breaks at the end are kept, and the indentation; what follows is not checked here."""
        header = _BLOCK_HEADER.match(self.prefix(2))[0]  # type: ignore[index]
        self.forward(len(header))
        increment = header.strip("+-")
        return _CHOMPING[header.strip("123456789")], int(increment) if increment else None

    def scan_block_scalar_ignored_line(self, start_mark: yaml.Mark) -> None:
        self._skip_blanks()
        super().scan_block_scalar_ignored_line(start_mark)

    def scan_plain(self) -> yaml.ScalarToken:
        """Returns a plain scalar. Also in braces, a colon ends it only before a blank: in {a: b:}, `b:` is text."""
        start = end = self.get_mark()
        indent, word = self.indent + 1, _WORD_IN_FLOW if self.flow_level else _WORD_IN_BLOCK
        parts: list[str] = []
        spaces: list[str] | None = []
        while self.peek() != "#" and (part := word.match(self.buffer, self.pointer)[0]):  # type: ignore[index]
            self.allow_simple_key = False
            parts += [*(spaces or ()), part]
            self.forward(len(part))
            end = self.get_mark()
            spaces = self.scan_plain_spaces(indent, start)
            if not spaces or (not self.flow_level and self.column < indent):
                break
        return yaml.ScalarToken("".join(parts), True, start, end)

    def scan_plain_spaces(self, indent: int, start_mark: yaml.Mark) -> list[str] | None:
        """Returns what separates two parts of a plain scalar; None at the end of the document."""
        blanks = self._skip_blanks()
        if self.peek() not in _BREAKS:
            return [blanks] if blanks else []
        breaks: list[str] = []
        while (character := self.peek()) in f" \t{_BREAKS}":
            if character in _BREAKS:
                breaks.append(self.scan_line_break())  # type: ignore[no-untyped-call]
                self.allow_simple_key = True
                if self.check_document_end() or self.check_document_start():  # type: ignore[no-untyped-call]
                    return None
            elif character == "\t" and self.column < indent:
                problem = "found a tab character that violates indentation"
                raise yaml.scanner.ScannerError("while scanning a plain scalar", start_mark, problem, self.get_mark())
            else:
                self.forward()
        first, *rest = breaks
        return rest or [" "] if first == "\n" else breaks

    def _skip_blanks(self) -> str:
        length = 0
        while self.peek(length) in " \t":
            length += 1
        blanks: str = self.prefix(length)
        self.forward(length)
        return blanks

    def resolve(self, kind: type[yaml.Node], value: str, implicit: tuple[bool, bool] | bool) -> str:
        if kind is yaml.ScalarNode:
            return _PLAIN if isinstance(implicit, tuple) and implicit[0] else f"{_TAG}str"
        return f"{_TAG}map" if kind is yaml.MappingNode else f"{_TAG}seq"

    def compose_node(self, parent: yaml.Node | None, index: int) -> yaml.Node | None:
        event = self.peek_event()  # type: ignore[no-untyped-call]
        if isinstance(event, yaml.AliasEvent):
            target = super().compose_node(parent, index)
            return _Alias(_TAG, target, event.start_mark, event.end_mark)  # type: ignore[arg-type]
        self.anchors.pop(getattr(event, "anchor", None), None)  # PyYAML would reject a redefinition.
        if isinstance(event, yaml.ScalarEvent) and event.tag == "!":
            event.tag = f"{_TAG}str"
        return super().compose_node(parent, index)


class _Alias(yaml.Node):
    """An alias. Its value is the node that has the anchor; PyYAML would put that node in its place."""


class _Values:
    """Computes the values of one document's nodes.

    Args:
        last_wins: Whether a key that is set twice has its last value.
    """

    def __init__(self, *, last_wins: bool) -> None:
        self._last_wins = last_wins
        self._open: set[int] = set()
        self._aliases = 0
        """Number of aliases that lead to the current node."""
        self._read = 1  # go-yaml also counts the document.
        self._aliased = 0

    def of(self, node: yaml.Node) -> Json:
        """Returns the value of a node."""
        self._count(node)
        if isinstance(node, yaml.ScalarNode):
            value = _scalar(node)
            return json_number(value) if _kind(value) in ("int", "float") else value
        if id(node) in self._open:
            raise _error("an anchor's value contains itself", node)
        self._open.add(id(node))
        value = self._contents(node)
        self._open.remove(id(node))
        return value

    def _contents(self, node: yaml.Node) -> Json:
        if isinstance(node, yaml.MappingNode):
            return self._mapping(node)
        if isinstance(node, yaml.SequenceNode):
            return [self.of(item) for item in node.value]
        self._aliases += 1
        value = self.of(node.value)
        self._aliases -= 1
        return value

    def _count(self, node: yaml.Node) -> None:
        """Counts the nodes that are read, as go-yaml does: a few lines of aliases to aliases could fill the memory."""
        self._read += 1
        self._aliased += self._aliases > 0
        if self._aliased <= _FEW_ALIASED or self._read <= _FEW_READ:
            return
        if self._aliased / self._read > _allowed_share(self._read):
            raise _error("document contains excessive aliasing", node)

    def _mapping(self, node: yaml.MappingNode) -> dict[str, Json]:
        found: dict[str, Json] = {}
        own: set[str] = set()
        for key_node, value_node in node.value:
            if _is_merge(key_node):
                self._merge(value_node, found)
                continue
            key = self._key(key_node)
            if key in own and not self._last_wins:
                raise _error(f"key {key!r} is set twice", key_node)
            own.add(key)
            found[key] = self.of(value_node)
        return found

    def _merge(self, node: yaml.Node, into: dict[str, Json]) -> None:
        """Returns the keys that `<<` adds.

        Of several mappings, the first takes precedence, and keys outside of them override all.
        """
        mappings = node.value if isinstance(node, yaml.SequenceNode) else [node]
        for mapping in reversed(mappings):
            if not isinstance(mapping.value if isinstance(mapping, _Alias) else mapping, yaml.MappingNode):
                raise _error("<< merges a mapping, or a list of them", mapping)
            into.update(self.of(mapping))

    def _key(self, node: yaml.Node) -> str:
        self._count(node)
        if isinstance(node, _Alias):
            self._aliases += 1
            aliased = self._key(node.value)
            self._aliases -= 1
            return aliased
        if not isinstance(node, yaml.ScalarNode):
            raise _error("a key is a list or an object", node)
        key = _scalar(node)
        if isinstance(key, str):
            return key
        if isinstance(key, bool):
            return "true" if key else "false"
        if key is None:
            raise _error("a key is null", node)
        if isinstance(key, float):
            return _fraction_as_key(key)
        if key >= 2**63:
            raise _error("a key is a number of 64 bits: write it in quotes", node)
        return str(key)


def _fraction_as_key(value: float) -> str:
    """Returns the key that kubectl makes of a fraction: in single precision, with as few digits as identify it."""
    try:
        single = _single(value)
    except OverflowError:
        return ".inf" if value > 0 else "-.inf"
    digits = next(digits for digits in range(1, 10) if _single(float(f"{single:.{digits}g}")) == single)
    if abs(single) >= 10**_MOST_PLACES:
        return f"{single:.{digits - 1}e}"
    return f"{single:.{digits if abs(single) < 1 else max(digits, _MOST_PLACES)}g}"


def _single(value: float) -> float:
    single: float = struct.unpack("<f", struct.pack("<f", value))[0]
    return single


def _allowed_share(read: int) -> float:
    """Returns the share of nodes that may be aliased, which falls from _SHARE_IN_SMALL to _SHARE_IN_LARGE."""
    position = min(max(read - _SMALL, 0) / (_LARGE - _SMALL), 1)
    return _SHARE_IN_SMALL - (_SHARE_IN_SMALL - _SHARE_IN_LARGE) * position


def _is_merge(node: yaml.Node) -> bool:
    return isinstance(node, yaml.ScalarNode) and node.value == "<<" and node.tag in (_PLAIN, f"{_TAG}merge")


def _scalar(node: yaml.ScalarNode) -> Json:
    text, tag = node.value, node.tag
    if _SURROGATE.search(text):
        raise _error("an escaped character is half of a surrogate pair: write the character itself", node)
    if tag == _PLAIN:
        return _plain(text, node)
    if tag == f"{_TAG}binary":
        try:
            return base64.b64decode(re.sub(r"[\r\n]", "", text), validate=True).decode()
        except (binascii.Error, UnicodeDecodeError) as error:
            raise _error(f"!!binary is not base64 text: {error}", node) from error
    if tag not in (f"{_TAG}int", f"{_TAG}float", f"{_TAG}bool", f"{_TAG}null"):
        return text
    value, wanted = _plain(text, node), tag.removeprefix(_TAG)
    if wanted == "float" and _kind(value) == "int" and value < 2**63:
        return float(value)
    if _kind(value) != wanted:
        raise _error(f"{text!r} is not a !!{wanted}", node)
    return value


def _kind(value: Json) -> str:
    match value:
        case None:
            return "null"
        case bool():
            return "bool"
        case int():
            return "int"
        case float():
            return "float"
        case _:
            return "str"


def _plain(text: str, node: yaml.ScalarNode) -> Json:
    """Returns the value of a scalar that is neither quoted nor tagged."""
    if text in _CONSTANTS:
        return _CONSTANTS[text]
    if _NOT_FINITE.fullmatch(text):
        raise _error(f"{text} has no counterpart in JSON", node)
    first = text[0]
    if not (first in "+-." or "0" <= first <= "9"):
        return text
    # As in go-yaml, underscores are allowed anywhere in a number; in a number that begins with a dot, only between
    # digits.
    digits = re.sub(r"(?<=\d)_(?=\d)", "", text) if first == "." else text.replace("_", "")
    if (integer := _integer(digits)) is not None:
        return integer
    return float(digits) if _FLOAT.fullmatch(digits) and isfinite(float(digits)) else text


def _integer(text: str) -> int | None:
    """Returns a whole number that fits into 64 bits, with or without a sign."""
    match = _INTEGER.fullmatch(_SIGN_INSIDE.sub(r"\g<sign>0b", text, count=1)) if len(text) <= _LONGEST_DIGITS else None
    if match is None:
        return None
    base = next(base for base, name in ((2, "two"), (8, "eight"), (16, "sixteen"), (10, "ten")) if match[name])
    value = int(match["two"] or match["eight"] or match["sixteen"] or match["ten"], base)
    value = -value if match["sign"] == "-" else value
    return value if -(2**63) <= value < (2**63 if match["sign"] else 2**64) else None


def json_number(value: float) -> int | float:
    """Returns a number as the API server gets it.

    A number such as 3600.0 becomes 3600, and one that exceeds 64 bits becomes a fraction. A fraction is sent with as
    few digits as identify it.
    """
    if not (-(2**63) <= value < 2**63 and value == int(value)):
        return float(value)
    return int(Decimal(repr(value)))


def _error(problem: str, node: yaml.Node) -> yaml.MarkedYAMLError:
    return yaml.constructor.ConstructorError(None, None, problem, node.start_mark)
