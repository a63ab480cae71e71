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

# Which folder may include which others, beside itself. One CMake target a folder, and it links just these.
FACES = {"drivers", "drivers/profile", "store"}
ARROWS = {
    "agent/base": set(),
    "agent/crypto": {"agent/base"},
    "drivers": {"agent/base"},
    "drivers/port": {"agent/base", "drivers"},
    "drivers/modbus": {"agent/base", "drivers", "drivers/port"},
    "drivers/dlt645": {"agent/base", "drivers", "drivers/port"},
    "drivers/line": {"agent/base", "drivers", "drivers/port", "drivers/modbus", "drivers/dlt645"},
    "drivers/profile": {"agent/base", "drivers"},
    "store": {"agent/base"},
    "store/sqlite": {"agent/base", "store"},
    "agent/config": {"agent/base"} | FACES,
    "agent/protocol": {"agent/base", "agent/config"} | FACES,
    "agent/command": {"agent/base", "agent/config", "agent/protocol"} | FACES,
    "agent/bus": {"agent/base", "agent/config", "agent/protocol", "agent/command"} | FACES,
    "agent/uplink": {"agent/base", "agent/config", "agent/protocol", "agent/command", "store"},
    "agent/remote": {"agent/base", "agent/crypto", "agent/config", "agent/protocol", "agent/command"} | FACES,
    "agent/admin": {"agent/base", "agent/config", "agent/protocol", "agent/command", "agent/bus", "agent/uplink"} | FACES,
    "agent/cli": {"agent/base", "agent/crypto", "agent/config", "agent/protocol", "agent/bus", "agent/uplink", "agent/admin",
                  "drivers/line", "store/sqlite"} | FACES,
    "agent/run": {"agent/base", "agent/crypto", "agent/config", "agent/protocol", "agent/command", "agent/bus", "agent/uplink",
                  "agent/remote", "agent/admin", "drivers/line", "store/sqlite"} | FACES,
    "agent": {"agent/run", "agent/cli"},
}

# Every third-party header has one home.
HOMES = {
    r"modbus(/.*)?": ("drivers/modbus/libmodbus_link.cpp",),
    r"sqlite3": ("store/sqlite/",),
    r"mqtt/.*|MQTT.*": ("agent/uplink/paho_connection.cpp",),
    r"boost/.*": ("agent/config/options.cpp",),
    r"nlohmann/.*": ("agent/base/json.cpp",),
    r"openssl/.*": ("agent/uplink/tls_peer.cpp", "agent/uplink/tls_stream.cpp", "agent/crypto/"),
}
LIBC = re.compile(
    r"(sys|netinet|arpa|net|linux)/[\w/]+|"
    r"dirent|dlfcn|endian|errno|fcntl|glob|grp|ifaddrs|link|locale|malloc|netdb|poll|pthread|pwd|sched|semaphore|signal|"
    r"spawn|stdio|stdlib|string|strings|sysexits|syslog|termios|time|unistd"
)

# (what, pattern, where it may stand, what would be right); looked for in code, not in comments and texts.
CODE_RULES = [
    ("time", re.compile(r"\bnow\s*\(\s*\)|(?<![\w.>])time\s*\(\s*(nullptr|NULL|0|&)|\b(clock_gettime|gettimeofday)\b"),
     ("agent/base/clock.cpp",), "take the time as a parameter, or from a Clock"),
    ("sleep", re.compile(r"\bthis_thread\b|\bsleep_for\b|\b(usleep|nanosleep|clock_nanosleep)\b|(?<![\w.>])sleep\s*\("),
     ("agent/base/clock.cpp",), "return when to be called next, or use Clock::sleep_until"),
    ("thread", re.compile(r"\bstd::(thread|jthread|async)\b|\bpthread_create\b"),
     ("agent/run/service_thread.h", "agent/run/service_thread.cpp", "agent/base/resolve.cpp", "agent/uplink/paho_connection.cpp"), "give a Task to a ServiceThread"),
    ("consumer queue", re.compile(r"\bstart_consuming\b"), (), "use the message callback: it decides over the acknowledgement"),
    ("QoS 2", re.compile(r"(?i)qos\w*\s*[=({,]\s*2\b"), (), "QoS 1"),
]
UNFINISHED = re.compile(r"\b(TO" r"DO|FIX" r"ME)\b")

INCLUDE = re.compile(r'^\s*#\s*include\s*(["<])([^">]+)[">]')
NO_CODE = re.compile(
    r'R"(?P<mark>[^()\s\\]{0,16})\(.*?\)(?P=mark)"|"(?:\\.|[^"\\\n])*"|(?<![0-9a-fA-F])\'(?:\\.|[^\'\\\n])*\'|//[^\n]*|/\*.*?\*/',
    re.DOTALL)


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
        if target != part and target not in ARROWS[part]:
            return f"include of {header}: {part} may include only {', '.join(sorted(ARROWS[part])) or 'its own'}"
        return None
    stem = header[:-2] if header.endswith(".h") else re.sub(r"\.hpp$", "", header)
    for pattern, homes in HOMES.items():
        if re.fullmatch(pattern, stem):
            return None if may_stand(path, homes) else f"include of <{header}>: its only home is {' '.join(homes)}"
    standard = stem == header and "/" not in header
    if standard or header.endswith(".h") and LIBC.fullmatch(stem):
        return None
    return f"include of <{header}>: neither C++ nor libc, name its home in tests/lint/includes.py"


def circles(arrows):
    """The first circle in a table of who includes whom, or None."""
    done = set()

    def walk(node, way):
        if node in way:
            return way[way.index(node):] + [node]
        if node in done:
            return None
        for target in sorted(arrows.get(node, ())):
            found = walk(target, way + [node])
            if found:
                return found
        done.add(node)
        return None

    for node in sorted(arrows):
        found = walk(node, [])
        if found:
            return found
    return None


def target_of(part):
    return "metergate_" + part.rpartition("/")[2] if part != "agent" else "metergate"


def check_links(path, text):
    """What is wrong with the link lines of a folder's CMakeLists.txt: they have to be its arrows."""
    part = path.rpartition("/")[0]
    if part not in ARROWS:
        return
    wanted = {target_of(target) for target in ARROWS[part]}
    targets = "|".join(target_of(other) for other in ARROWS)
    for link in re.finditer(r"target_link_libraries\(" + target_of(part) + r"\s([^)]*)\)", text):
        linked = set(re.findall(rf"\b(?:{targets})\b", re.sub("#.*", "", link.group(1))))
        if part == "agent/base":
            linked.discard("metergate_flags")
        if linked != wanted:
            number = text.count("\n", 0, link.start()) + 1
            odd = ", ".join(sorted(linked ^ wanted))
            yield number, f"links: the arrows of {part} and its link line differ in {odd}"


def include_circle(includes):
    """A circle of headers, as one finding."""
    found = circles(includes)
    if found:
        yield found[0], 1, "circle: " + " > ".join(found)


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


def all_files(root):
    for file in sorted(root.rglob("*")):
        parts = file.relative_to(root).parts
        if file.is_file() and not SKIPPED_FOLDERS.intersection(parts):
            yield "/".join(parts)


def own_includes(root, paths):
    """Who includes whom, of the product's files."""
    for path in paths:
        if pathlib.PurePosixPath(path).suffix in SOURCES and path.startswith(PRODUCT):
            lines = (root / path).read_text(encoding="utf-8", errors="replace").splitlines()
            found = (INCLUDE.match(line) for line in lines)
            yield path, {include.group(2) for include in found if include and include.group(1) == '"'}


def check_tree(root):
    paths = list(all_files(root))
    yield from include_circle(dict(own_includes(root, paths)))
    for path in paths:
        suffix = pathlib.PurePosixPath(path).suffix
        if suffix not in TEXTS:
            continue
        text = (root / path).read_text(encoding="utf-8", errors="replace")
        for number, line in enumerate(text.splitlines(), 1):
            if UNFINISHED.search(line):
                yield path, number, "unfinished: do it, or write it into the list of known limits"
        if suffix in SOURCES and re.fullmatch(r"agent/(?!main\.cpp)[^/]+", path):
            yield path, 1, "loose: put it into the folder that it belongs to"
        if suffix in SOURCES and path.startswith(PRODUCT):
            yield from ((path, *finding) for finding in check_source(path, text))
        if path.endswith("/CMakeLists.txt"):
            yield from ((path, *finding) for finding in check_links(path, text))


# A line with "!!" must give exactly one finding that contains what follows; all others must give none.
PLANTED = {
    "agent/base/a.h": '#include "agent/base/b.h"\n#include <vector>\n#include <sys/socket.h>\n'
                      '#include "agent/config/x.h" //!! agent/base may include only\n#include "drivers/x.h" //!! agent/base may\n',
    "agent/base/b.h": "#include <fmt/core.h> //!! neither C++ nor libc\n#include <openssl/ssl.h> //!! only home\n",
    "agent/base/c.h": '#include "agent/base/d.h" //!! circle: agent/base/c.h > agent/base/d.h > agent/base/c.h\n',
    "agent/base/d.h": '#include "agent/base/c.h"\n',
    "agent/base/clock.cpp": "auto t = steady_clock::now();\nclock_nanosleep(x);\n",
    "agent/base/resolve.cpp": "std::thread t;\n",
    "agent/base/json.cpp": '#include <nlohmann/json.hpp>\n#include "agent/base/a.h"\n',
    "agent/config/x.cpp": '#include "drivers/bus.h"\n#include "store/x.h"\n#include "drivers/profile/p.h"\n#include "agent/base/a.h"\n'
                          '#include "store/sqlite/y.h" //!! agent/config may\n#include "agent/protocol/c.h" //!! agent/config may\n',
    "agent/bus/x.cpp": '#include "agent/command/c.h"\n#include "agent/uplink/u.h" //!! agent/bus may include only\n'
                       '#include "drivers/modbus/pdu.h" //!! agent/bus may\n',
    "agent/uplink/x.cpp": '#include "agent/bus/b.h" //!! agent/uplink may include only\n#include "agent/command/c.h"\n',
    "agent/admin/x.cpp": '#include "agent/run/r.h" //!! agent/admin may include only\n',
    "agent/run/x.cpp": '#include "agent/cli/c.h" //!! agent/run may include only\n#include "store/sqlite/y.h"\n',
    "agent/command/x.cpp": "// now() and a sleep_for in a comment\nconst char* t = \"time(nullptr) std::thread\";\n"
                   "auto t = std::chrono::steady_clock::now(); //!! time:\nauto u = ::time(nullptr); //!! time:\n"
                   "parse_time(0); next_time(&x); point.time(0);\n"
                   "std::this_thread::sleep_for(x); //!! sleep:\nusleep(1); //!! sleep:\nsleep(1); //!! sleep:\nclock.sleep_until(t);\n"
                   "int n = 1'000; std::thread t; int m = 2'000; //!! thread:\nstd::async(f); //!! thread:\n"
                   "auto r = R\"(now()\n)\"; now(); //!! time:\n"
                   "client.start_consuming(); //!! consumer queue:\nm.set_qos(2); //!! QoS 2:\nconst int kQos = 2; //!! QoS 2:\n"
                   "m.set_qos(1);\n/* TO" "DO later */ //!! unfinished\n#include <boost/program_options.hpp> //!! only home\n"
                   '#include "json.h" //!! named from the root\n#include <MQTTAsync.h> //!! only home\n',
    "agent/run/watchdog.cpp": "#include <modbus/modbus.h> //!! only home\n",
    "agent/run/service_thread.h": "std::thread thread_;\n",
    "agent/main.cpp": '#include "agent/run/agent.h"\n#include "agent/cli/subcommands.h"\n#include "agent/bus/b.h" //!! agent may include only\n',
    "agent/loose.h": "#pragma once //!! loose: put it into the folder\n",
    "drivers/bus.h": '#include "agent/base/a.h"\n#include "store/x.h" //!! drivers may include only\n'
                     '#include "drivers/port/p.h" //!! drivers may\n#include <modbus.h> //!! only home\n',
    "drivers/modbus/libmodbus_link.cpp": '#include <modbus/modbus.h>\n#include "drivers/port/x.h"\n#include "drivers/profile/p.h" //!! may include\n',
    "drivers/port/CMakeLists.txt": "add_library(metergate_port a.cpp)\ntarget_link_libraries(metergate_port PUBLIC metergate_base\n"
                                   "  metergate_drivers)\n",
    "drivers/modbus/CMakeLists.txt": "target_link_libraries(metergate_modbus PUBLIC metergate_base metergate_drivers #!! differ in metergate_port\n"
                                     "  PRIVATE PkgConfig::modbus)\n",
    "agent/command/CMakeLists.txt": "target_link_libraries(metergate_command PUBLIC metergate_base metergate_bus metergate_config #!! differ in metergate_bus\n"
                                    "  metergate_drivers metergate_profile metergate_protocol metergate_store)\n",
    "store/x.h": '#include "agent/base/a.h"\n#include "drivers/bus.h" //!! store may include only\n#include "store/sqlite/y.h" //!! store may\n',
    "store/sqlite/y.cpp": '#include <sqlite3.h>\n#include "store/x.h"\n',
    "tests/t.cpp": '#include "agent/base/json.h"\nstd::thread t; sleep(1); now();\n// FIX' "ME //!! unfinished\n",
    "build/old.cpp": "// TO" "DO\n",
}


if __name__ == "__main__":
    sys.exit(rule.main(__doc__, check_tree, PLANTED))
