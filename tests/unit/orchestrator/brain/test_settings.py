"""Settings and presets."""

from __future__ import annotations

from typing import Any

import pytest
from pydantic import ValidationError

from orchestrator.brain import BrainSettings


def test_openclaw_is_the_default_and_is_asked_as_its_handbook_says() -> None:
    settings = BrainSettings()
    assert settings.base_url == "http://127.0.0.1:18789/v1"
    assert settings.model == "openclaw/default"
    assert settings.stateful
    assert settings.session_header == "x-openclaw-session-key"
    assert not settings.speculation_safe


@pytest.mark.parametrize(("preset", "port"), [("ollama", "11434"), ("vllm", "8000")])
def test_local_model_servers_are_stateless_and_may_be_asked_early(preset: Any, port: str) -> None:
    settings = BrainSettings(preset=preset)
    assert port in settings.base_url
    assert settings.speculation_safe
    assert not settings.stateful


def test_what_is_set_wins_over_the_preset_and_empty_means_not_set() -> None:
    settings = BrainSettings(preset="ollama", model="qwen3", base_url="")
    assert settings.model == "qwen3"
    assert settings.base_url == "http://127.0.0.1:11434/v1"


def test_speculation_can_be_switched_off() -> None:
    assert not BrainSettings(preset="ollama", speculation="off").speculation_safe


@pytest.mark.parametrize(
    ("wrong", "named"),
    [
        ({"preset": "none", "model": "m"}, "base_url"),
        ({"preset": "none", "base_url": "http://x/v1"}, "model"),
        ({"base_url": "ftp://x"}, "base_url"),
        ({"base_url": "http://user:secret@x/v1"}, "api_key"),
        ({"base_url": "http://x/v1?key=secret"}, "query"),
        ({"stateful": True, "speculation": "safe"}, "speculation"),
        ({"max_reply_tokens": 9000}, "max_reply_tokens"),
        ({"preset": "nonsense"}, "preset"),
        ({"temprature": 1}, "temprature"),
    ],
)
def test_a_mistake_is_named_and_shows_no_secret(wrong: dict[str, Any], named: str) -> None:
    with pytest.raises(ValidationError, match=named) as caught:
        BrainSettings(**wrong)
    assert "secret@" not in str(caught.value)
    assert "key=secret" not in str(caught.value)


def test_keys_do_not_show() -> None:
    settings = BrainSettings.model_validate({"api_key": "sk-1", "extra_headers": {"x-key": "sk-2"}})
    assert "sk-1" not in repr(settings)
    assert "sk-2" not in repr(settings)
