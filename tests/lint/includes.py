#!/usr/bin/env python3
"""Rules of the tree that a compiler does not check. Prints file:line for each finding; exit status 1 if there is any.

    includes.py ROOT        checks the tree
    includes.py --selftest  plants violations and looks whether each is found, and nothing else
"""

import pathlib
import re
import sys

import rule

SOURCES = {".h", ".cpp"}
TEXTS = SOURCES | {".py", ".cmake", ".txt", ".md", ".ini", ".sh"}
SKIPPED_FOLDERS = {"build", ".git", ".cache", "__pycache__"}
PRODUCT = ("agent", "drivers", "store")

# Which part may include which. The longest prefix of a path names its part.
ARROWS = {
    "agent/base": {"agent/base"},
    "drivers": {"drivers", "agent/base"},
    "store": {"store", "agent/base"},
    "agent": {"agent", "agent/base", "drivers", "store"},
}

# Every third-party header has one home.
HOMES = {
    r"modbus(/.*)?": ("drivers/modbus_bus.cpp",),
    r"sqlite3": ("store/",),
    r"mqtt/.*|MQTT.*": ("agent/uplink_paho.cpp",),
    r"boost/.*": ("agent/options.cpp",),
    r"nlohmann/.*": ("agent/json.cpp",),
    r"openssl/.*": ("agent/tls_peer.cpp",),
    r"httplib": ("agent/http_server.cpp",),
}
LIBC = re.compile(
    r"(sys|netinet|arpa|net|linux)/[\w/]+|"
    r"dirent|dlfcn|endian|errno|fcntl|glob|grp|ifaddrs|locale|netdb|poll|pthread|pwd|sched|semaphore|signal|"
    r"spawn|stdio|stdlib|string|strings|sysexits|syslog|termios|time|unistd"
)

# (what, pattern, where it may stand, what would be right); looked for in code, not in comments and texts.
CODE_RULES = [
    ("time", re.compile(r"\bnow\s*\(\s*\)|(?<![\w.>])time\s*\(\s*(nullptr|NULL|0|&)|\b(clock_gettime|gettimeofday)\b"),
     ("agent/base/clock.cpp",), "take the time as a parameter, or from a Clock"),
    ("sleep", re.compile(r"\bthis_thread\b|\bsleep_for\b|\b(usleep|nanosleep|clock_nanosleep)\b|(?<![\w.>])sleep\s*\("),
     ("agent/base/clock.cpp",), "return when to be called next, or use Clock::sleep_until"),
    ("thread", re.compile(r"\bstd::(thread|jthread|async)\b|\bpthread_create\b"),
     ("agent/runner.h", "agent/runner.cpp", "agent/base/resolve.cpp", "agent/uplink_paho.cpp"), "give a Task to a Runner"),
    ("consumer queue", re.compile(r"\bstart_consuming\b"), (), "use the message callback: it decides over the acknowledgement"),
    ("QoS 2", re.compile(r"(?i)qos\w*\s*[=({,]\s*2\b"), (), "QoS 1"),
]
UNFINISHED = re.compile(r"\b(TO" r"DO|FIX" r"ME)\b")

INCLUDE = re.compile(r'^\s*#\s*include\s*(["<])([^">]+)[">]')
NO_CODE = re.compile(
    r'R"(?P<mark>[^()\s\\]{0,16})\(.*?\)(?P=mark)"|"(?:\\.|[^"\\\n])*"|(?<![0-9a-fA-F])\'(?:\\.|[^\'\\\n])*\'|//[^\n]*|/\*.*?\*/',
    re.DOTALL)
MD_LINK = re.compile(r"\[[^\]]*\]\(([^)\s]+)\)")
MD_CODE = re.compile(r"`([^`\n]+)`")
NAMED_FILE = re.compile(r"[\w.*{},/-]+\.(h|cpp|\{h,cpp\}|py|cmake|md|ini)")


def part_of(path):
    return max((part for part in ARROWS if path.startswith(part + "/")), key=len, default=None)


def may_stand(path, homes):
    return any(path == home or home.endswith("/") and path.startswith(home) for home in homes)


def check_include(path, bracket, header):
    """What is wrong with one #include of a product source, or None."""
    part = part_of(path)
    if bracket == '"':
        target = part_of(header)
        if target is None:
            return f"include of {header}: own headers are named from the root, agent/, drivers/ or store/"
        if target not in ARROWS[part]:
            return f"include of {header}: {part} may include only {', '.join(sorted(ARROWS[part]))}"
        return None
    stem = header[:-2] if header.endswith(".h") else re.sub(r"\.hpp$", "", header)
    for pattern, homes in HOMES.items():
        if re.fullmatch(pattern, stem):
            return None if may_stand(path, homes) else f"include of <{header}>: its only home is {' '.join(homes)}"
    standard = stem == header and "/" not in header
    if standard or header.endswith(".h") and LIBC.fullmatch(stem):
        return None
    return f"include of <{header}>: neither C++ nor libc, name its home in tests/lint/includes.py"


def check_source(path, text):
    for number, line in enumerate(text.splitlines(), 1):
        include = INCLUDE.match(line)
        problem = check_include(path, *include.groups()) if include else None
        if problem:
            yield number, problem
    code = NO_CODE.sub(lambda m: '""' + "\n" * m.group().count("\n"), text)
    for number, line in enumerate(code.splitlines(), 1):
        for what, pattern, homes, right in CODE_RULES:
            if pattern.search(line) and not may_stand(path, homes):
                yield number, f"{what}: {right}"


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


def check_markdown(root, path, text, names):
    for number, line in enumerate(text.splitlines(), 1):
        for target in MD_LINK.findall(line):
            problem = check_link(root, path, target)
            if problem:
                yield number, problem
        for token in MD_CODE.findall(line):
            if not NAMED_FILE.fullmatch(token):
                continue
            for name in expand(token):
                if not any(pathlib.PurePosixPath(known).match(name) for known in names):
                    yield number, f"file {name}: no such file in the tree"


def all_files(root):
    for file in sorted(root.rglob("*")):
        parts = file.relative_to(root).parts
        if file.is_file() and not SKIPPED_FOLDERS.intersection(parts):
            yield "/".join(parts)


def included(root, paths):
    """Headers of others that the sources include: a text may name them too."""
    for path in paths:
        if pathlib.PurePosixPath(path).suffix in SOURCES:
            for line in (root / path).read_text(encoding="utf-8", errors="replace").splitlines():
                include = INCLUDE.match(line)
                if include and include.group(1) == "<":
                    yield include.group(2)


def check_tree(root):
    paths = list(all_files(root))
    names = paths + sorted(set(included(root, paths)))
    for path in paths:
        suffix = pathlib.PurePosixPath(path).suffix
        if suffix not in TEXTS:
            continue
        text = (root / path).read_text(encoding="utf-8", errors="replace")
        for number, line in enumerate(text.splitlines(), 1):
            if UNFINISHED.search(line):
                yield path, number, "unfinished: do it, or write it into the list of known limits"
        if suffix in SOURCES and path.startswith(PRODUCT):
            yield from ((path, *finding) for finding in check_source(path, text))
        if suffix == ".md":
            yield from ((path, *finding) for finding in check_markdown(root, path, text, names))


# A line with "!!" must give exactly one finding that contains what follows; all others must give none.
PLANTED = {
    "agent/base/a.h": '#include "agent/base/b.h"\n#include <vector>\n#include <sys/socket.h>\n'
                      '#include "agent/json.h" //!! agent/base may include only\n#include "drivers/x.h" //!! agent/base may\n',
    "agent/base/b.h": "#include <fmt/core.h> //!! neither C++ nor libc\n#include <nlohmann/json.hpp> //!! only home\n",
    "agent/base/clock.cpp": "auto t = steady_clock::now();\nclock_nanosleep(x);\n",
    "agent/base/resolve.cpp": "std::thread t;\n",
    "agent/json.cpp": '#include <nlohmann/json.hpp>\n#include "store/x.h"\n#include "drivers/x.h"\n#include "agent/base/a.h"\n',
    "agent/x.cpp": "// now() and a sleep_for in a comment\nconst char* t = \"time(nullptr) std::thread\";\n"
                   "auto t = std::chrono::steady_clock::now(); //!! time:\nauto u = ::time(nullptr); //!! time:\n"
                   "parse_time(0); next_time(&x); point.time(0);\n"
                   "std::this_thread::sleep_for(x); //!! sleep:\nusleep(1); //!! sleep:\nsleep(1); //!! sleep:\nclock.sleep_until(t);\n"
                   "int n = 1'000; std::thread t; int m = 2'000; //!! thread:\nstd::async(f); //!! thread:\n"
                   "auto r = R\"(now()\n)\"; now(); //!! time:\n"
                   "client.start_consuming(); //!! consumer queue:\nm.set_qos(2); //!! QoS 2:\nconst int kQos = 2; //!! QoS 2:\n"
                   "m.set_qos(1);\n/* TO" "DO later */ //!! unfinished\n#include <boost/program_options.hpp> //!! only home\n"
                   '#include "json.h" //!! named from the root\n#include <MQTTAsync.h> //!! only home\n',
    "agent/supervisor.cpp": "#include <modbus/modbus.h> //!! only home\n",
    "agent/runner.h": "std::thread thread_;\n",
    "drivers/x.h": '#include "agent/base/a.h"\n#include "store/x.h" //!! drivers may include only\n#include "agent/json.h" //!! drivers may\n'
                   "#include <modbus.h> //!! only home\n",
    "drivers/modbus_bus.cpp": '#include <modbus/modbus.h>\n#include "drivers/x.h"\n',
    "store/x.h": '#include "store/y.h"\n#include <sqlite3.h>\n#include "drivers/x.h" //!! store may include only\n',
    "store/y.cpp": "#include <sqlite3.h>\n",
    "tests/t.cpp": '#include "agent/json.h"\nstd::thread t; sleep(1); now();\n// FIX' "ME //!! unfinished\n",
    "build/old.cpp": "// TO" "DO\n",
    "README.md": "# Read me, first!\n[a](agent/json.cpp) [b](https://x.org/y) [c](#read-me-first) [d](NOTES.md#part-2)\n"
                 "[e](agent/gone.cpp) !! no such file\n[f](NOTES.md#part-3) !! no such heading\n"
                 "`x.{h,cpp}` `agent/base/*.h` `json.cpp` `mosquitto.conf` `a.b()`\n`agent/base/json.cpp` !! no such file in the tree\n"
                 "`supervisor.{h,cpp}` !! file supervisor.h: no such file in the tree\n",
    "NOTES.md": "## Part 2\n",
}


if __name__ == "__main__":
    sys.exit(rule.main(__doc__, check_tree, PLANTED))
