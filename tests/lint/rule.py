"""What the rules have in common: told on the command line what to do, they check a tree, or themselves by planted violations.

A rule is a function from a tree's root to (path, line, problem). In a planted text `!! words` ends each line that has to be found,
with words of the problem.
"""
import pathlib
import sys
import tempfile


def selftest(check_tree, planted):
    with tempfile.TemporaryDirectory() as folder:
        root = pathlib.Path(folder)
        expected = {}
        for path, text in planted.items():
            (root / path).parent.mkdir(parents=True, exist_ok=True)
            (root / path).write_text(text, encoding="utf-8")
            for number, line in enumerate(text.splitlines(), 1):
                if "!!" in line:
                    expected[path, number] = line.split("!! ")[1]
        found = list(check_tree(root))
        wrong = [f"not expected: {f}" for f in found if expected.get(f[:2], "\0") not in f[2]]
        wrong += [f"not found: {e}" for e in expected.items() if sum(f[:2] == e[0] for f in found) != 1]
        print("\n".join(wrong) or f"{len(found)} planted violations found, nothing else")
        return 1 if wrong else 0


def main(usage, check_tree, planted):
    arguments = sys.argv[1:]
    if arguments == ["--selftest"]:
        return selftest(check_tree, planted)
    if len(arguments) != 1 or not (pathlib.Path(arguments[0]) / "agent").is_dir():
        print(usage, file=sys.stderr)
        return 64
    findings = list(check_tree(pathlib.Path(arguments[0])))
    for path, number, problem in findings:
        print(f"{path}:{number}: {problem}")
    return 1 if findings else 0
