"""Protect a folder of photographs; what is printed is all that would leave the device.

python examples/protect_and_send.py bundles/lfw64 photos
"""

import sys
from pathlib import Path

from facecrafter import (
    Crafter,
    Offline,
    Remembered,
    Shuffled,
    TaskUtility,
    dumps,
    folder,
    load_bundle,
    secret,
)


def main(bundle: Path, photos: Path) -> None:
    parts = load_bundle(bundle)
    offline = Offline(parts.need("target").encode, parts.need("prior"), surrogate=parts.surrogate)
    # remembered inside, shuffled outside: one photograph, one feature, in an order nobody knows
    defence = Shuffled(Remembered(Crafter(utility=TaskUtility()), memory=Path("released.db")))
    protector = defence.fit(offline, secret())
    images = folder(photos).images()
    release = protector(images, secret())
    message = dumps(release.features)
    print(
        f"{len(message)} bytes for {len(images)} photographs; kept here: {release.order.tolist()}"
    )
    # the cloud's answers come back in the order of the message; put them back in order
    answers = parts.need("target").head(release.features)[release.order.argsort()]
    print(answers.sigmoid().round(decimals=2))


if __name__ == "__main__":
    main(*map(Path, sys.argv[1:3]))
