"""Watch Crafter step by step: the loop is yours, so stop it, plot it or give it a budget.

python examples/watch_crafting.py bundles/lfw64
"""

import sys
import time
from pathlib import Path

from facecrafter import Crafter, Offline, load_bundle, stream
from facecrafter.data.synthetic import synthetic

SECONDS = 20.0  # budget


def main(bundle: Path) -> None:
    parts = load_bundle(bundle)
    offline = Offline(parts.need("target").encode, parts.need("prior"))
    crafter = Crafter().fit(offline, stream(0, "fit"))
    faces = synthetic(seed=0, people=4, photographs=1).images()
    began = time.monotonic()
    for number, step in enumerate(crafter.craft(faces, stream(0, "craft"))):
        privacy, utility = step.privacy.mean().item(), step.utility.mean().item()
        print(f"step {number:3}: privacy loss {privacy:.4f}, utility loss {utility:.4f}")
        if time.monotonic() - began > SECONDS:
            print("the budget is spent")
            break


if __name__ == "__main__":
    main(Path(sys.argv[1]))
