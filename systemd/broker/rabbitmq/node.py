"""A running RabbitMQ node, asked by its own tools (rabbitmqctl and its kin), from 3.10 to 4."""
import json
import subprocess
import sys
import time


class ToolFailed(Exception):
    pass


def tool(program, *words):
    """What it prints. Its standard input is closed: rabbitmqctl 4.0 waits for ever where it reads from there."""
    argv = [program, "-q", *map(str, words)]
    try:
        done = subprocess.run(argv, stdin=subprocess.DEVNULL, capture_output=True, text=True)
    except FileNotFoundError:
        raise ToolFailed(f"there is no '{program}' here: run this as root on a node of the broker") from None
    if done.returncode != 0:
        raise ToolFailed(f"{' '.join(argv)}:\n{(done.stdout + done.stderr).strip()}")
    return done.stdout


def ctl(*words):
    return tool("rabbitmqctl", *words)


def listed(*words):
    """The rows of a `list_...` as dictionaries."""
    return json.loads(ctl(*words, "--formatter", "json"))


def wait_for(what, seconds, condition):
    """The first true value of condition(), asked again and again. What it did not find is raised as ToolFailed."""
    end = time.monotonic() + seconds
    while True:
        found = condition()
        if found:
            return found
        if time.monotonic() > end:
            raise ToolFailed(f"waited {seconds} s in vain for {what}")
        time.sleep(0.5)


def main(name, function):
    """Ends the program with function's status; what a tool says goes to standard error, with status 1."""
    try:
        sys.exit(function())
    except ToolFailed as error:
        sys.exit(f"{name}: {error}")
