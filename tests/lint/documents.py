#!/usr/bin/env python3
"""Whether the Markdown files say what is there. Prints file:line for each finding; exit status 1 if there is any.

    documents.py ROOT        checks the tree: links, names of files, functions and tests, the table of folders, 120 columns
    documents.py --selftest  plants violations and looks whether each is found, and nothing else
"""

import pathlib
import re
import sys

import includes
import rule

COLUMNS = 120
LINK = re.compile(r"\[[^\]]*\]\(([^)\s]+)\)")
CODE = re.compile(r"`([^`\n]+)`")
NAMED_FILE = re.compile(r"[\w.*{},/-]+\.(h|cpp|\{h,cpp\}|py|cmake|md|ini)")
NAMED_FUNCTION = re.compile(r"([A-Z]\w+)::(\w+)")
NAMED_TEST = re.compile(r"(?:e2e|cloud)_\w+|\w+_test")
MADE_TEST = re.compile(r"\b(?:metergate_test\(|add_test\(NAME )(\w+)")
FOLDER_ROW = re.compile(r"\| `([\w/]+)` \|[^|]*\| ([^|]*) \|")


def expand(name):
    """a.{h,cpp} as a.h and a.cpp."""
    group = re.search(r"\{([^{}]*)\}", name)
    if not group:
        return [name]
    return [one for word in group.group(1).split(",") for one in expand(name[:group.start()] + word + name[group.end():])]


def slug(heading):
    return re.sub(r"[^\w\- ]", "", heading.strip().lower()).replace(" ", "-")


def check_link(root, path, target):
    """What is wrong with a link of a Markdown file, or None."""
    if re.match(r"[a-z][a-z0-9+.-]*:", target):
        return None
    name, _, anchor = target.partition("#")
    file = (root / path).parent / name if name else root / path
    if not file.exists():
        return f"link to {target}: no such file"
    if anchor and file.suffix == ".md":
        headings = re.findall(r"^#+\s+(.*)$", file.read_text(encoding="utf-8"), re.MULTILINE)
        if anchor not in {slug(heading) for heading in headings}:
            return f"link to {target}: no such heading"
    return None


class Tree:
    """What a text may name."""

    def __init__(self, root):
        self.root = root
        self.paths = list(includes.all_files(root))
        self.sources = {path: (root / path).read_text(encoding="utf-8", errors="replace") for path in self.paths
                        if pathlib.PurePosixPath(path).suffix in includes.SOURCES}
        self.files = self.paths + sorted(self._foreign_headers())
        self.tests = set(self._tests())

    def _foreign_headers(self):
        lines = (includes.INCLUDE.match(line) for text in self.sources.values() for line in text.splitlines())
        return {include.group(2) for include in lines if include and include.group(1) == "<"}

    def _tests(self):
        for path in self.paths:
            file = pathlib.PurePosixPath(path)
            if file.name == "CMakeLists.txt":
                yield from MADE_TEST.findall((self.root / path).read_text(encoding="utf-8"))
            elif path.startswith("tests/e2e/") and file.name.endswith("_test.py"):
                yield "e2e_" + file.stem[:-len("_test")]
            elif path.startswith("tests/cloud_flow/") and file.suffix == ".py":
                yield "cloud_" + file.stem

    def has_file(self, name):
        return any(pathlib.PurePosixPath(known).match(name) for known in self.files)

    def has_function(self, type_name, function):
        declared = re.compile(rf"\b(?:class|struct) {type_name}\b(?!;)")
        return any(declared.search(text) and re.search(rf"\b{function}\(", text) for text in self.sources.values())


def check_token(tree, token):
    """What is wrong with what stands between backticks."""
    function = NAMED_FUNCTION.fullmatch(token)
    if NAMED_FILE.fullmatch(token):
        yield from (f"file {name}: no such file in the tree" for name in expand(token) if not tree.has_file(name))
    elif function and not tree.has_function(*function.groups()):
        yield f"function {token}: no type of that name has one"
    elif NAMED_TEST.fullmatch(token) and token not in tree.tests:
        yield f"test {token}: no CMakeLists.txt makes it"


def check_folder_row(line):
    """What is wrong with a row of a table of folders and what they may include."""
    row = FOLDER_ROW.match(line)
    if not row or row.group(1) not in includes.ARROWS:
        return
    words = re.split(r",\s*", row.group(2))
    said = {"agent/" + word if "agent/" + word in includes.ARROWS else word for word in words} & set(includes.ARROWS)
    odd = said ^ includes.ARROWS[row.group(1)]
    if odd:
        yield f"folder {row.group(1)}: this row and tests/lint/includes.py differ in {', '.join(sorted(odd))}"


def check_markdown(tree, path, text):
    for number, line in enumerate(text.splitlines(), 1):
        if len(line) > COLUMNS and not line.startswith("|") and len(line.split()) > 2:
            yield number, f"columns: {len(line)}, at most {COLUMNS} but in tables and in words that are longer"
        for target in LINK.findall(line):
            problem = check_link(tree.root, path, target)
            if problem:
                yield number, problem
        for token in CODE.findall(line):
            yield from ((number, problem) for problem in check_token(tree, token))
        yield from ((number, problem) for problem in check_folder_row(line))


def check_completeness(text):
    """ARCHITECTURE.md names every folder of the arrows and every home of a library."""
    rows = {row.group(1) for row in map(FOLDER_ROW.match, text.splitlines()) if row}
    for folder in sorted(set(includes.ARROWS) - rows):
        yield 1, f"folder {folder}: has no row in the table of folders"
    for home in sorted({home for homes in includes.HOMES.values() for home in homes}):
        if f"`{home}`" not in text:
            yield 1, f"home {home}: is not named"


def check_tree(root):
    tree = Tree(root)
    for path in tree.paths:
        if not path.endswith(".md"):
            continue
        text = (root / path).read_text(encoding="utf-8")
        yield from ((path, *finding) for finding in check_markdown(tree, path, text))
        if path == "ARCHITECTURE.md":
            yield from ((path, *finding) for finding in check_completeness(text))


HOMES = [home for homes in includes.HOMES.values() for home in homes]
ROWS = {folder: f"| `{folder}` | it | {', '.join(sorted(arrows)) or 'nothing'} |"
        for folder, arrows in includes.ARROWS.items()}
ROWS["store"] = "| `store` | it | drivers | !! differ in agent/base, drivers"

# A line with "!!" must give exactly one finding that contains what follows; all others must give none.
PLANTED = {
    "agent/base/text.h": "class Reader {\n  void step();\n};\nclass Later;\n#include <sys/socket.h>\n",
    "agent/base/text.cpp": "void f() { step(); later(); }\n",
    "agent/run/watchdog.cpp": "",
    "tests/CMakeLists.txt": "metergate_test(json_test LABEL unit)\nadd_test(NAME cloud_flow_test COMMAND x)\n",
    "tests/e2e/bus_test.py": "",
    "README.md": "# Read me, first!\n[a](agent/base/text.cpp) [b](https://x.org/y) [c](#read-me-first) [d](NOTES.md#part-2)\n"
                 "[e](agent/gone.cpp) !! no such file\n[f](NOTES.md#part-3) !! no such heading\n"
                 "`text.{h,cpp}` `agent/base/*.h` `text.cpp` `sys/socket.h` `mosquitto.conf` `a.b()`\n"
                 "`agent/json.cpp` !! no such file in the tree\n`watchdog.{h,cpp}` !! file watchdog.h: no such file in the tree\n"
                 "`Reader::step` `json_test` `e2e_bus` `cloud_flow_test`\n"
                 "`Reader::write` !! function Reader::write\n`Later::later` !! function Later::later\n"
                 "`bus_test` !! test bus_test\n`e2e_gone` !! test e2e_gone\n",
    "NOTES.md": "## Part 2\n" + "word " * 23 + "words\n" + "word " * 23 + "word over !! columns: 1\n"
                "- " + "x" * 130 + "\n| " + "word " * 30 + "|\n    " + "word " * 25 + "!! columns: 1\n",
    **{home: "" for home in HOMES if home.endswith(".cpp")},
    "ARCHITECTURE.md": "All homes but one. !! home store/sqlite/\n"
                       + "\n".join([*ROWS.values(), *(f"`{home}`" for home in HOMES if home != "store/sqlite/")]),
}


if __name__ == "__main__":
    sys.exit(rule.main(__doc__, check_tree, PLANTED))
