"""The acoustic model: pocketsphinx's own en-us, its means moved to where they lie in telephone speech.

The wheel's model was trained on 16 kHz speech; fed with upsampled 8 kHz speech it takes one number word for another:
of eSpeak's sentences over μ-law at 25 dB SNR it misheard 31 %, and with these means 5.5 % of 290 by five voices they
were not made from, a Caribbean and a Scottish one among them. How they were made is told in
``tests/models/telephone_means.py``.
"""

from __future__ import annotations

import struct
from pathlib import Path

import numpy as np
import pocketsphinx

from servicekit.startup import StartupError

MODEL_HZ = 16_000
"""Rate of the model."""
TELEPHONE_HZ = 8000
"""Rate of the speech that the means were moved to: wider bands are narrowed to it."""

_FILE = Path(__file__).with_name("telephone.npz")
_S3_HEADER = b"s3\nversion 1.0\nendhdr\n" + struct.pack("<I", 0x11223344)


class TelephoneModel:
    """Files of the model, ready for decoders."""

    def __init__(self, folder: Path) -> None:
        """Write into ``folder`` what the wheel does not hold. Raises StartupError when a file is missing."""
        model = Path(pocketsphinx.get_model_path("en-us/en-us"))
        dictionary = Path(pocketsphinx.get_model_path("en-us/cmudict-en-us.dict"))
        for needed in (model / "mdef", dictionary, _FILE):
            if not needed.is_file():
                raise StartupError(f"{needed} is missing: reinstall Parley's extra `stt`")
        with np.load(_FILE) as adaptation:
            means = adaptation["means"].astype("<f4")
            mean = adaptation["cepstral_mean"]
        means_file = folder / "means"
        shape = (*means.shape[:3], *[means.shape[3]] * means.shape[1], means.size)
        means_file.write_bytes(_S3_HEADER + struct.pack(f"<{len(shape)}i", *shape) + means.tobytes())
        self.dictionary = dictionary
        """CMU's pronouncing dictionary, 134,000 words."""
        self.settings: dict[str, str] = {
            "hmm": str(model),
            "mean": str(means_file),
            # Where live normalisation begins each utterance.
            "cmninit": ",".join(f"{value:.2f}" for value in mean),
        }
        """What a decoder must be made with."""
