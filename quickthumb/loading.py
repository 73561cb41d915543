"""Pauses garbage collection while a process imports its modules.

What is imported stays for good. Without the pause, Python would look for garbage among it again and again, which takes
a fifth of the time that a process needs to start.
"""

import gc


def pause() -> None:
    """Collects no garbage until `loaded()`. A root calls this before it imports anything else."""
    gc.disable()


def loaded() -> None:
    """Collects garbage again, but never looks at what is in memory now."""
    gc.freeze()
    gc.enable()
