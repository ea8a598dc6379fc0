"""The most memory that this process has had."""

import re
import resource
import sys
from pathlib import Path


def peak_kb() -> int:
    """Peak of the resident memory in kilobytes."""
    if sys.platform == "linux":
        # Not ru_maxrss: there a child starts with the size of the process that forked it.
        status = Path("/proc/self/status").read_text(encoding="utf-8")
        found = re.search(r"VmHWM:\s+(\d+)", status)
        assert found is not None
        return int(found[1])
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024
