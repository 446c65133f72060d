"""Ends the emulator together with the program that started it.

The program keeps the writing end of a pipe open and gives the emulator the
reading end as its standard input. However the program ends, the operating
system closes the pipe and reading returns. Nothing is ever written to it.
"""

import os
import signal
import sys
import threading
import time

VARIABLE = "LAYER_EXIT_WITH_STDIN"
GRACE_SECONDS = 5


def exit_with_parent():
    """Watches standard input, when the program that started us asked for it."""
    if os.environ.get(VARIABLE) != "1":
        return
    threading.Thread(target=_watch, name="layer-parent-watch", daemon=True).start()


def _watch():
    sys.stdin.buffer.read()
    os.kill(os.getpid(), signal.SIGTERM)
    time.sleep(GRACE_SECONDS)
    os._exit(1)
