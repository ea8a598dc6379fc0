"""Start a program that ends with its owner: `parent_death_guard.py OWNER_PID UID GID PROGRAM …`.

Run as a script by `streams.local.process`, with nothing imported but the standard library. It
becomes the program (exec): no process of its own remains. On Linux the kernel kills the program
when the thread that started it dies; elsewhere the next start finds and ends it.

Not a `preexec_fn`: that would run Python between fork and exec of a process with threads.
"""

import ctypes
import os
import signal
import sys

_PR_SET_PDEATHSIG = 1


def main(owner_pid: int, uid: int, gid: int, command: list[str]) -> None:
    """Take the given user's rights (unless they are ours), tie to the owner, become the program."""
    if uid != os.getuid():
        os.setgroups([])
        os.setgid(gid)
        os.setuid(uid)
    if sys.platform == "linux":
        # After the change of user, which would clear it.
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
        if os.getppid() != owner_pid:
            sys.exit("The owner ended before the program was started.")
    signal.signal(signal.SIGPIPE, signal.SIG_DFL)
    try:
        os.execv(command[0], command)  # noqa: S606
    except OSError as error:
        sys.exit(f"Could not start {command[0]}: {error.strerror}")


if __name__ == "__main__":
    main(int(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3]), sys.argv[4:])
