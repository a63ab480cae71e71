"""Small breaks of a C++ source by rules that know its tokens, not its meaning.

The sources are formatted by clang-format: binary operators stand between blanks, template brackets do not.
"""
import dataclasses
import pathlib
import re
import sys

sys.path.insert(1, str(pathlib.Path(__file__).resolve().parents[1] / "lint"))
from type_names import NO_CODE  # noqa: E402

TURNED = {"<": "<=", "<=": "<", ">": ">=", ">=": ">", "==": "!=", "!=": "=="}
# What is printed or logged is read by people; no test is expected for each word of it. Reserved room is speed alone.
TEXT = re.compile(r"\blog_?\b|\.(?:warn|info|error|debug|member|begin_object|end_object|begin_array|end_array)\(|<<|\bprint\w*\(|\bf?puts\(|\bhint\(|"
                  r"\.reserve\(|\bstatic_assert\b|\boperator\b|^\s*(?:#|using\b|template\b|return\b.*\bthrow\b)")
NUMBER = re.compile(r"(?<![\w.'])(?:0x[0-9a-fA-F']+|\d[\d']*)(?![\w']*\.\d)(?=[a-zA-Z]*\b)(?![.\d])")
CONSTANT = re.compile(r"\bconstexpr\b[^;=({]*\bk[A-Z]\w*[^;=({]*(?:=|\{)(?P<value>[^;]*);")
COMPARISON = re.compile(r"(?<= )(?:<=|>=|==|!=|<|>)(?= )")
BOUND = re.compile(r"\bstd::(?P<name>min|max|clamp)(?:<[\w:]+>)?\(")
ONE_MORE = re.compile(r" [+-] 1\b(?![\w'.])")
NOT = re.compile(r"(?<![\w)\]])!(?=[\w(*])")
RETURNED = re.compile(r"\breturn (?P<value>true|false)\b(?=[;,])")
GUARD = re.compile(r"^[ ]+if \(", re.MULTILINE)
ASSIGNMENT = re.compile(r"^[ ]+(?:[*]?[a-z]\w*(?:\(\w*\)|\[[^\]]*\]|\.|->|\w)*) (?:[-+*/|&^]|<<|>>)?= [^;]*;[ ]*$", re.MULTILINE)
CALL = re.compile(r"^[ ]+(?:\+\+|--)?(?!return\b|delete\b|throw\b|case\b|using\b|static_cast\b)[a-z_]\w*(?:::\w+|\.|->|\w|\[[^\]]*\]|\(\w*\))*"
                  r"(?:\([^;]*\)|\+\+|--)?;[ ]*$", re.MULTILINE)


@dataclasses.dataclass(frozen=True)
class Mutation:
    """One place of a file, and what is written there instead."""
    rule: str
    begin: int
    end: int
    instead: str

    def apply(self, text):
        return text[:self.begin] + self.instead + text[self.end:]

    def line(self, text):
        return text.count("\n", 0, self.begin) + 1

    def shown(self, text):
        """The lines before and after, each as one line without the comments behind it."""
        first = text.rfind("\n", 0, self.begin) + 1
        last = text.find("\n", self.end)
        last = len(text) if last < 0 else last
        before, after = text[first:last], text[first:self.begin] + self.instead + text[self.end:last]
        return one_line(before), one_line(after)


def one_line(text):
    return re.sub(r"\s+", " ", re.sub(r"//.*", "", text)).strip() or ";"


def code_of(text):
    """The text with comments, strings and preprocessor lines blanked, each character where it was."""
    return NO_CODE.sub(lambda m: re.sub(r"[^\n]", " ", m.group()), text)


def closing(code, opening):
    """Where the bracket at `opening` is closed; None where it is not."""
    depth = 0
    for at in range(opening, len(code)):
        depth += {"(": 1, "{": 1, "[": 1, ")": -1, "}": -1, "]": -1}.get(code[at], 0)
        if depth == 0:
            return at
    return None


def arguments(code, opening, end):
    """(begin, end) of each argument between the brackets."""
    found, depth, begin = [], 0, opening + 1
    for at in range(opening + 1, end + 1):
        depth += {"(": 1, "{": 1, "[": 1, ")": -1, "}": -1, "]": -1}.get(code[at], 0)
        if (code[at] == "," and depth == 0) or at == end:
            found.append((begin, at))
            begin = at + 1
    return found


def other_number(text):
    """3 > 2, 10'000 > 20'000, 0 > 1, 0x80 > 0x81."""
    if text.lower().startswith("0x"):
        return hex(int(text.replace("'", ""), 16) + 1)
    value = int(text.replace("'", ""))
    if value < 2:
        return str(value + 1)
    return str(value - 1) if value < 10 else f"{value * 2:,}".replace(",", "'" if "'" in text else "")


def constants(code, _text):
    for constant in CONSTANT.finditer(code):
        for number in NUMBER.finditer(constant.group("value")):
            begin = constant.start("value") + number.start()
            yield Mutation("constant", begin, begin + len(number.group()), other_number(number.group()))


def comparisons(code, _text):
    for found in COMPARISON.finditer(code):
        yield Mutation("comparison", *found.span(), TURNED[found.group()])


def bounds(code, text):
    for found in BOUND.finditer(code):
        end = closing(code, found.end() - 1)
        parts = arguments(code, found.end() - 1, end) if end else []
        if len(parts) < 2:
            continue
        for begin, stop in parts[:1] if found.group("name") == "clamp" else parts:
            other = text[begin:stop].strip()
            yield Mutation("bound", found.start(), end + 1, other if re.fullmatch(r"[\w.:]+", other) else f"({other})")


def offs_by_one(code, _text):
    for found in ONE_MORE.finditer(code):
        yield Mutation("one", *found.span(), "")


def negations(code, _text):
    for found in NOT.finditer(code):
        yield Mutation("not", *found.span(), "")


def returns(code, _text):
    for found in RETURNED.finditer(code):
        yield Mutation("return", *found.span("value"), "false" if found.group("value") == "true" else "true")


def guards(code, _text):
    """`if (...) statement;`, on one line or two, with no else."""
    for found in GUARD.finditer(code):
        end = closing(code, found.end() - 1)
        rest = end and re.compile(r"\)\s+(?:return|continue|break|[^\s{}][^;{}]*[^;{}])?[^;{}]*;").match(code, end)
        if rest and not re.compile(r"\s*else\b").match(code, rest.end()):
            yield Mutation("guard", found.start() + len(found.group()) - len("if ("), rest.end(), ";")


def side_effects(code, _text):
    for found in (*ASSIGNMENT.finditer(code), *CALL.finditer(code)):
        statement = found.group().strip()
        before = code[:found.start()].rstrip()
        # A statement, not the rest of one; nor what hangs on `if (...)`, which is a guard.
        if before[-1:] in ("{", ";", "}") and statement.count("(") == statement.count(")") and re.search(r"[=(+-]", statement):
            yield Mutation("effect", found.start() + len(found.group()) - len(found.group().lstrip()), found.start() + len(found.group().rstrip()), ";")


RULES = (constants, comparisons, bounds, offs_by_one, negations, returns, guards, side_effects)


def mutations(text):
    """All that the rules make of a source, in the order of their places."""
    code = code_of(text)
    found = []
    for rule in RULES:
        for mutation in rule(code, text):
            first = code.rfind("\n", 0, mutation.begin) + 1
            last = code.find("\n", mutation.end)
            if not TEXT.search(code[first:last if last >= 0 else len(code)]):
                found.append(mutation)
    return sorted(found, key=lambda m: (m.begin, m.end, m.instead))
