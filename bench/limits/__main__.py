"""`python -m bench.limits SCENE …`: one scene in a process of its own, for its memory. Prints its figures as JSON."""

from __future__ import annotations

import sys

from bench.limits.scenes import SCENES, run

if __name__ == "__main__":
    name, *given = sys.argv[1:]
    if name not in SCENES:
        raise SystemExit(f"bench.limits: there is no scene {name!r}: choose from {', '.join(SCENES)}")
    sys.stdout.buffer.write(run(name, given))
