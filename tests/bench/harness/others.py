"""How much of the machine others took while a contestant ran.

On a busy machine the kernel shares the CPUs between sessions first, and each of Taskcell's workers is a session of its own while a Python
pool is one: ratios then say more about the kernel than about the contestants. So it is measured and told.
"""

import os
import resource
import statistics
import time
from pathlib import Path

# From this share on, the table says that the machine was busy.
BUSY = 0.1


class Watch:
    """Around one run of one contestant."""

    def __init__(self):
        self.began = time.monotonic()
        self.all, self.own = busy_seconds(), child_seconds()

    def share(self):
        """What others took of all CPUs, from 0 to 1."""
        could = (time.monotonic() - self.began) * os.cpu_count()
        others = (busy_seconds() - self.all) - (child_seconds() - self.own)
        return max(0.0, min(1.0, others / could)) if could > 0 else 0.0


def busy_seconds():
    user, nice, system, _idle, _iowait, irq, softirq, steal = map(int, Path("/proc/stat").read_text().split()[1:9])
    return (user + nice + system + irq + softirq + steal) / os.sysconf("SC_CLK_TCK")


def child_seconds():
    """Of all that was started here and ended, with what it started itself."""
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def told(shares):
    """One line for people."""
    if not shares:
        return ""
    line = f"{share(shares)} while a contestant ran (median; at most {max(shares):.0%})"
    return f"{line}: THE MACHINE WAS BUSY, ratios are rough" if statistics.median(shares) > BUSY else line


def share(shares):
    return f"others took {statistics.median(shares):.0%} of the CPUs"
