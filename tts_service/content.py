"""What files hold, told by a digest: another release of a voice under the same name sounds otherwise."""

from __future__ import annotations

import hashlib
from pathlib import Path


def content_of(*paths: Path) -> str:
    """A digest of files, which are read whole. Blocks; raises OSError."""
    digests = []
    for path in paths:
        with path.open("rb") as file:
            digests.append(hashlib.file_digest(file, "sha256").hexdigest())
    return "+".join(digests)
