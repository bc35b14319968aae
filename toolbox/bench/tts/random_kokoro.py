"""A Kokoro model with random weights, in the files that the Kokoro project publishes: it hums, but it works as hard.

What an inference costs does not depend on what the weights say, except for the durations: a random predictor speaks at
a third of a second a phoneme. They can therefore be fixed, at a speaker's usual pace.
"""

from __future__ import annotations

import json
import math
import warnings
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

_PHONEMES = (
    ';:,.!?—…"()“” \u0303ʣʥʦʨᵝ\uab67AIOQSTWYᵊabcdefhijklmnopqrstuvwxyzɑɐɒæβ'
    "ɔɕçɖðʤəɚɛɜɟɡɥɨɪʝɯɰŋɳɲɴøɸθœɹɾɻʁɽʂʃʈʧʊʋʌɣɤχʎʒʔˈˌːʰʲ↓→↗↘ᵻ"
)
_MODULES = ("bert", "bert_encoder", "predictor", "text_encoder", "decoder")
_SEED = 7

PUBLISHED_SIZE: dict[str, Any] = {
    "hidden_dim": 512,
    "style_dim": 128,
    "n_token": 178,
    "n_layer": 3,
    "max_dur": 50,
    "dropout": 0.2,
    "n_mels": 80,
    "text_encoder_kernel_size": 5,
    "istftnet": {
        "upsample_kernel_sizes": [20, 12],
        "upsample_rates": [10, 6],
        "gen_istft_hop_size": 5,
        "gen_istft_n_fft": 20,
        "resblock_dilation_sizes": [[1, 3, 5], [1, 3, 5], [1, 3, 5]],
        "resblock_kernel_sizes": [3, 7, 11],
        "upsample_initial_channel": 512,
    },
    "plbert": {
        "hidden_size": 768,
        "num_attention_heads": 12,
        "intermediate_size": 2048,
        "max_position_embeddings": 512,
        "num_hidden_layers": 12,
        "dropout": 0.1,
    },
}
"""The dimensions of Kokoro-82M as it is published."""

SMALLEST: dict[str, Any] = {
    **PUBLISHED_SIZE,
    # 512 is built into the decoder; everything else is as small as it goes.
    "n_layer": 1,
    "max_dur": 2,
    "dropout": 0.0,
    "istftnet": {
        **PUBLISHED_SIZE["istftnet"],
        "resblock_dilation_sizes": [[1, 3, 5]],
        "resblock_kernel_sizes": [3],
    },
    "plbert": {
        "hidden_size": 64,
        "num_attention_heads": 2,
        "intermediate_size": 64,
        "max_position_embeddings": 512,
        "num_hidden_layers": 1,
        "dropout": 0.0,
    },
}
"""The smallest that Kokoro's own code runs: for tests, and for a bench in a hurry."""


@dataclass(frozen=True)
class KokoroFiles:
    """Where a model lies."""

    model: Path
    config: Path
    voices: Path

    @property
    def service_settings(self) -> tuple[str, ...]:
        """The settings of the service that name it."""
        return (
            "tts.engine=kokoro",
            f"tts.kokoro.model={self.model}",
            f"tts.kokoro.config={self.config}",
            f"tts.kokoro.voices={self.voices}",
        )


def config_of(size: Mapping[str, Any]) -> dict[str, Any]:
    """A model's whole configuration: its dimensions and its phonemes."""
    return {**size, "vocab": {phoneme: index + 1 for index, phoneme in enumerate(_PHONEMES)}}


def write_kokoro(
    folder: Path,
    size: Mapping[str, Any] = PUBLISHED_SIZE,
    *,
    voices: Sequence[str] = ("af_heart",),
    frames_a_phoneme: float | None = None,
    half: bool = True,
) -> KokoroFiles:
    """Write a model, its configuration and voices into a folder; blocks for seconds, needs torch and kokoro.

    Args:
        folder: Must exist.
        size: Dimensions; the phonemes are added.
        voices: Names of the voices; the first letter tells the language.
        frames_a_phoneme: Fixes the durations, in frames of 25 ms at speed 1; None leaves them to chance.
        half: Write half precision, which halves the file; loading brings the size back.
    """
    import torch  # noqa: PLC0415 - heavy, and only in some installations
    from kokoro import KModel  # noqa: PLC0415

    config = config_of(size)
    files = KokoroFiles(folder / "kokoro-random.pth", folder / "config.json", folder / "voices")
    files.config.write_text(json.dumps(config), encoding="utf-8")
    empty = folder / "empty.pth"
    torch.save({}, empty)
    torch.manual_seed(_SEED)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        model: Any = KModel(repo_id="parley/random", config=config, model=str(empty))
    if frames_a_phoneme is not None:
        layer = model.predictor.duration_proj.linear_layer
        # A duration is the sum of so many sigmoids.
        share = frames_a_phoneme / config["max_dur"]
        with torch.no_grad():
            layer.weight.zero_()
            layer.bias.fill_(math.log(share / (1 - share)))
    weights = {
        # Published keys carry "module." in front.
        name: {
            f"module.{key}": value.half() if half else value for key, value in getattr(model, name).state_dict().items()
        }
        for name in _MODULES
    }
    torch.save(weights, files.model)
    empty.unlink()
    files.voices.mkdir()
    for name in voices:
        torch.save(0.1 * torch.randn(510, 1, 256), files.voices / f"{name}.pt")
    return files
