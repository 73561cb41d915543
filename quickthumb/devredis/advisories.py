"""The known flaws of Redis and Valkey by which a client could take over the server.

Only QuickThumb's own processes are clients of the embedded server. Elsewhere, whoever else may use the same Redis could
make use of them. The versions are those of the release notes of Redis and Valkey.
"""

from dataclasses import dataclass

from quickthumb.devredis.binary import Release

Branch = tuple[int, int]


@dataclass(frozen=True, slots=True)
class Flaw:
    """`fixed` has, for each server and each of its release branches, the third number of the first release without the
    flaw. Branches before `since` and newer ones never had it; all others have it and get no fix."""

    name: str
    meaning: str
    since: Branch
    fixed: dict[str, dict[Branch, int]]

    def fix_for(self, release: Release) -> str | None:
        """The release to install instead; None if this one does not have the flaw."""
        branches = self.fixed[release.name]
        branch, patch = release.version[:2], release.version[2]
        if not self.since <= branch <= max(branches) or patch >= branches.get(branch, patch + 1):
            return None
        nearest = branch if branch in branches else min(newer for newer in branches if newer > branch)
        return f"{release.name} {nearest[0]}.{nearest[1]}.{branches[nearest]}"


FLAWS = (
    Flaw(
        "CVE-2026-23479",
        "a client that waits for an item may run code in the server",
        (7, 2),
        {
            "Redis": {(7, 2): 14, (7, 4): 9, (8, 2): 6, (8, 4): 3, (8, 6): 3},
            "Valkey": {(7, 2): 13, (8, 0): 8, (8, 1): 7, (9, 0): 4},
        },
    ),
    Flaw(
        "CVE-2025-49844",
        "a script may run code in the server",
        (0, 0),
        {
            "Redis": {(6, 2): 20, (7, 2): 11, (7, 4): 6, (8, 0): 4, (8, 2): 2},
            "Valkey": {(7, 2): 11, (8, 0): 6, (8, 1): 4},
        },
    ),
)


def warning_for(release: Release) -> str | None:
    """What is known against a release, and which one to install; None if nothing is."""
    for flaw in FLAWS:
        better = flaw.fix_for(release)
        if better is not None:
            return f"{flaw.name}: {flaw.meaning}; install {better} or newer, unless your system has mended it"
    return None
