"""Ends the emulator's processes when the emulator has ended, however it did.

The emulator writes "+PID" for a process that it starts and "-PID" for one that
has ended. What is left when its end of the pipe closes is killed here. A program
of its own: the emulator may be killed, and whoever ends its session must not
end this.
"""

import os
import signal
import sys


def main():
    running = set()
    for line in sys.stdin:
        change, pid = line[0], int(line[1:])
        (running.add if change == "+" else running.discard)(pid)
    for pid in running:
        try:
            # Each leads a group. PostgreSQL's own children end with it.
            os.killpg(pid, signal.SIGKILL)
        except ProcessLookupError:
            pass


if __name__ == "__main__":
    main()
