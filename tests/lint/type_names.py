#!/usr/bin/env python3
"""Finds two types of one name in one namespace: each compiles in its own source, and the linker merges their functions silently.

    type_names.py ROOT        checks the tree: agent, drivers, store and tests are linked together in some program
    type_names.py --selftest  plants violations and looks whether each is found, and nothing else

Types in an unnamed namespace, in a function or in another type belong to one source alone and may be named as they please.
"""
import collections
import pathlib
import re
import sys

import rule

FOLDERS = ("agent", "drivers", "store", "tests")
NO_CODE = re.compile(
    r'R"(?P<mark>[^()\s\\]{0,16})\(.*?\)(?P=mark)"|"(?:\\.|[^"\\\n])*"|(?<![0-9a-fA-F])\'(?:\\.|[^\'\\\n])*\'|//[^\n]*|/\*.*?\*/|'
    r"^[ \t]*#(?:[^\n\\]|\\.)*", re.DOTALL | re.MULTILINE)
TOKEN = re.compile(r"[{};]")
NAMESPACE = re.compile(r"\bnamespace\s*([\w:]*)\s*$")
TYPE = re.compile(r"^(?:template\s*<.*>\s*)?(?:class|struct|union|enum(?:\s+(?:class|struct))?)\s+(?:\[\[.*?\]\]\s*)?(\w+)\b(?!\s*(?:[<(]|::))",
                  re.DOTALL)
PLAIN = "an opening that is neither"


def types(text):
    """(line, qualified name) of each type that is defined in named namespaces only."""
    code = NO_CODE.sub(lambda m: "\n" * m.group().count("\n"), text)
    scopes, begin = [], 0
    for token in TOKEN.finditer(code):
        head = code[begin:token.start()].strip()
        begin = token.end()
        if token.group() == "}":
            if scopes:
                scopes.pop()
        elif token.group() == "{":
            space, kind = NAMESPACE.search(head), TYPE.match(head)
            if space:
                scopes.append(space.group(1) or PLAIN)
                continue
            if kind and PLAIN not in scopes:
                yield code.count("\n", 0, token.start()) + 1, "::".join([*scopes, kind.group(1)])
            scopes.append(PLAIN)


def check_tree(root):
    places = collections.defaultdict(list)
    for folder in FOLDERS:
        for file in sorted((root / folder).rglob("*")):
            if file.suffix in {".h", ".cpp"}:
                for line, name in types(file.read_text(encoding="utf-8", errors="replace")):
                    places[name].append((file.relative_to(root).as_posix(), line))
    for name, found in sorted(places.items()):
        for path, line in found[1:]:
            yield path, line, f"type {name} is also defined in {found[0][0]}:{found[0][1]}: give one of them another name"


PLANTED = {
    "agent/a.h": "namespace metergate {\nstruct Same { int a; };\nclass Later;\ntemplate <class T>\nstruct Box : Same {\n  struct In {};\n};\n}\n",
    "agent/b.cpp": "namespace metergate {\nnamespace {\nstruct Same {};\n}\nvoid f() { struct Box {}; }\nenum class Kind { kA };\n}\n",
    "drivers/c.cpp": '// namespace metergate { struct Same {};\nconst char* t = "{";\nnamespace metergate {\nclass Same final {  //!! metergate::Same\n};\n'
                     "struct In {};\nnamespace other { struct Same {}; }\n}\n",
    "store/d.h": "#define A {\nnamespace metergate {\nenum class Kind { kA };  //!! metergate::Kind\nclass Later {};\ntemplate <>\nstruct Box<int> {};\n}\n",
    "tests/e.cpp": "namespace metergate {\nstruct Same::In {\n};\ntemplate <class T> class Box {  //!! metergate::Box\n};\n}\nstruct Same {};\n",
}


if __name__ == "__main__":
    sys.exit(rule.main(__doc__, check_tree, PLANTED))
