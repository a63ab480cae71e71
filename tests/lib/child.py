"""Child processes that end with the process that started them, however that ends."""

import ctypes
import signal
import subprocess

_PR_SET_PDEATHSIG = 1
_libc = ctypes.CDLL(None)


def start(command, **options):
    """As subprocess.Popen, out of reach of the terminal's Ctrl-C."""
    return subprocess.Popen(command, start_new_session=True,
                            preexec_fn=lambda: _libc.prctl(_PR_SET_PDEATHSIG, signal.SIGTERM), **options)


def end(process, seconds=6):
    """SIGTERM, then after some time SIGKILL. Returns its status."""
    if process.poll() is None:
        process.terminate()
        try:
            process.wait(seconds)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
    return process.returncode
