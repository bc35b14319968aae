"""A small Kokoro model with random weights, in the files that the Kokoro project publishes: it hums, but it runs."""

from __future__ import annotations

import json
import warnings
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tts_service.settings import KokoroSettings

_PHONEMES = (
    ';:,.!?—…"()“” \u0303ʣʥʦʨᵝ\uab67AIOQSTWYᵊabcdefhijklmnopqrstuvwxyzɑɐɒæβ'
    "ɔɕçɖðʤəɚɛɜɟɡɥɨɪʝɯɰŋɳɲɴøɸθœɹɾɻʁɽʂʃʈʧʊʋʌɣɤχʎʒʔˈˌːʰʲ↓→↗↘ᵻ"
)

_MODULES = ("bert", "bert_encoder", "predictor", "text_encoder", "decoder")

CONFIG: dict[str, Any] = {
    # 512 is built into the decoder; everything else is as small as it goes.
    "hidden_dim": 512,
    "style_dim": 128,
    "n_token": 178,
    "n_layer": 1,
    # Random durations are about half of this many frames of 25 ms for each phoneme.
    "max_dur": 2,
    "dropout": 0.0,
    "n_mels": 80,
    "text_encoder_kernel_size": 5,
    "istftnet": {
        "upsample_kernel_sizes": [20, 12],
        "upsample_rates": [10, 6],
        "gen_istft_hop_size": 5,
        "gen_istft_n_fft": 20,
        "resblock_dilation_sizes": [[1, 3, 5]],
        "resblock_kernel_sizes": [3],
        "upsample_initial_channel": 512,
    },
    "plbert": {
        "hidden_size": 64,
        "num_attention_heads": 2,
        "intermediate_size": 64,
        "max_position_embeddings": 512,
        "num_hidden_layers": 1,
        "dropout": 0.0,
    },
    "vocab": {phoneme: index + 1 for index, phoneme in enumerate(_PHONEMES)},
}


@dataclass(frozen=True)
class KokoroFiles:
    """Where the model lies."""

    model: Path
    config: Path
    voices: Path

    def settings(self, **changes: Any) -> KokoroSettings:
        """Settings that name the files."""
        return KokoroSettings(
            **{"model": self.model, "config": self.config, "voices": self.voices, "device": "cpu", **changes}
        )


def build_kokoro(folder: Path, voices: tuple[str, ...] = ("af_heart", "ef_dora")) -> KokoroFiles:
    """Write a model, its configuration and voices into a folder: 117 MB, a few seconds."""
    import torch
    from kokoro import KModel

    files = KokoroFiles(folder / "kokoro-random.pth", folder / "config.json", folder / "voices")
    files.config.write_text(json.dumps(CONFIG), encoding="utf-8")
    empty = folder / "empty.pth"
    torch.save({}, empty)
    torch.manual_seed(7)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        model = KModel(repo_id="tests/random", config=CONFIG, model=str(empty))
    # Half precision halves the file; loading brings it back. Published keys carry "module." in front.
    weights = {
        name: {f"module.{key}": value.half() for key, value in getattr(model, name).state_dict().items()}
        for name in _MODULES
    }
    torch.save(weights, files.model)
    empty.unlink()
    files.voices.mkdir()
    for name in voices:
        torch.save(0.1 * torch.randn(510, 1, 256), files.voices / f"{name}.pt")
    return files
