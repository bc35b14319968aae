"""Secrets in settings: from files, never shown."""

from __future__ import annotations

from pathlib import Path

import pytest
from pydantic import Field, SecretStr, field_validator

from servicekit.settings import SettingsError, SettingsModel, load

SECRET = "s3cr3t-value"


class Account(SettingsModel):
    auth_token: SecretStr
    sid: str = ""


class Endpoint(SettingsModel):
    url: str = ""
    api_key: SecretStr | None = None


class ExampleSettings(SettingsModel):
    twilio: Account | None = None
    brain: Endpoint = Endpoint()
    fallbacks: list[Endpoint] = Field(default_factory=list)
    named: dict[str, Endpoint] = Field(default_factory=dict)
    log_file: str = ""


class Picky(SettingsModel):
    signing_key: SecretStr
    password: str = ""

    @field_validator("signing_key")
    @classmethod
    def _long(cls, value: SecretStr) -> SecretStr:
        if len(value.get_secret_value()) < 32:
            raise ValueError("should have at least 32 characters")
        return value


@pytest.fixture
def secret_file(tmp_path: Path) -> Path:
    file = tmp_path / "secrets" / "token"
    file.parent.mkdir()
    file.write_text(SECRET + "\n")
    return file


def write(tmp_path: Path, toml: str) -> Path:
    file = tmp_path / "parley.toml"
    file.write_text(toml)
    return file


def token_of(settings: ExampleSettings) -> str:
    assert settings.twilio is not None
    return settings.twilio.auth_token.get_secret_value()


def test_a_secret_may_live_in_a_file_beside_the_settings(tmp_path: Path, secret_file: Path) -> None:
    config = write(tmp_path, "[gateway.twilio]\nauth_token_file = 'secrets/token'")
    assert token_of(load("gateway", ExampleSettings, config=config, environ={}).service) == SECRET


def test_a_secret_file_may_be_named_by_the_environment(secret_file: Path) -> None:
    environ = {"PARLEY_GATEWAY__TWILIO__AUTH_TOKEN_FILE": str(secret_file)}
    assert token_of(load("gateway", ExampleSettings, environ=environ).service) == SECRET


def test_secret_files_work_in_optional_lists_and_named_tables(tmp_path: Path, secret_file: Path) -> None:
    config = write(
        tmp_path,
        "[gateway.brain]\napi_key_file = 'secrets/token'\n"
        "[[gateway.fallbacks]]\napi_key_file = 'secrets/token'\n"
        "[gateway.named.x]\napi_key_file = 'secrets/token'\n",
    )
    service = load("gateway", ExampleSettings, config=config, environ={}).service
    for endpoint in (service.brain, service.fallbacks[0], service.named["x"]):
        assert endpoint.api_key is not None
        assert endpoint.api_key.get_secret_value() == SECRET


def test_the_higher_source_replaces_the_lower_secret_in_either_form(tmp_path: Path, secret_file: Path) -> None:
    plain = write(tmp_path, "[gateway.twilio]\nauth_token = 'lower'")
    environ = {"PARLEY_GATEWAY__TWILIO__AUTH_TOKEN_FILE": str(secret_file)}
    assert token_of(load("gateway", ExampleSettings, config=plain, environ=environ).service) == SECRET
    missing = write(tmp_path, "[gateway.twilio]\nauth_token_file = 'not-there'")
    environ = {"PARLEY_GATEWAY__TWILIO__AUTH_TOKEN": "higher"}
    assert token_of(load("gateway", ExampleSettings, config=missing, environ=environ).service) == "higher"


def test_both_forms_in_one_source_are_a_mistake(tmp_path: Path, secret_file: Path) -> None:
    config = write(tmp_path, "[gateway.twilio]\nauth_token = 'a'\nauth_token_file = 'secrets/token'")
    with pytest.raises(SettingsError) as caught:
        load("gateway", ExampleSettings, config=config, environ={})
    assert [problem.name for problem in caught.value.problems] == ["gateway.twilio.auth_token_file"]


def test_a_missing_file_is_named_once_with_its_path(tmp_path: Path) -> None:
    config = write(tmp_path, "[gateway.twilio]\nauth_token_file = 'nowhere'\nsid = 3")
    with pytest.raises(SettingsError) as caught:
        load("gateway", ExampleSettings, config=config, environ={})
    found = {problem.name: problem.message for problem in caught.value.problems}
    assert set(found) == {"gateway.twilio.auth_token_file", "gateway.twilio.sid"}
    assert str(tmp_path / "nowhere") in found["gateway.twilio.auth_token_file"]


@pytest.mark.parametrize(
    ("content", "told"),
    [(b"", "is empty"), (b" \n", "is empty"), (b"\xff\xfe", "not UTF-8"), (b"x" * 70_000, "too large")],
)
def test_an_unusable_file_is_told_without_its_content(tmp_path: Path, content: bytes, told: str) -> None:
    file = tmp_path / "token"
    file.write_bytes(content)
    with pytest.raises(SettingsError, match=told):
        load("gateway", ExampleSettings, environ={"PARLEY_GATEWAY__BRAIN__API_KEY_FILE": str(file)})
    with pytest.raises(SettingsError, match="cannot be read"):
        load("gateway", ExampleSettings, environ={"PARLEY_GATEWAY__BRAIN__API_KEY_FILE": str(tmp_path)})


def test_a_setting_that_merely_ends_in_file_is_left_alone() -> None:
    environ = {"PARLEY_GATEWAY__LOG_FILE": "/var/log/x"}
    assert load("gateway", ExampleSettings, environ=environ).service.log_file == "/var/log/x"


def test_settings_show_no_secret(tmp_path: Path) -> None:
    loaded = load("gateway", ExampleSettings, environ={"PARLEY_GATEWAY__TWILIO__AUTH_TOKEN": SECRET})
    assert SECRET not in repr(loaded) + str(loaded)


def test_no_mistake_shows_a_secret(tmp_path: Path) -> None:
    config = write(
        tmp_path,
        f"[stt]\nsigning_key = '{SECRET}'\nsigning_kez = '{SECRET}'\npassword = ['{SECRET}']\n"
        f"[telemetry]\ntraces_endpoint = 'http://user:{SECRET}@host'",
    )
    with pytest.raises(SettingsError) as caught:
        load("stt", Picky, config=config, environ={"PARLEY_STT__PASSWRD": SECRET}, overrides=[f"stt.tokn={SECRET}"])
    names = {problem.name for problem in caught.value.problems}
    assert names == {
        "stt.signing_key", "stt.signing_kez", "stt.password", "stt.passwrd", "stt.tokn", "telemetry.traces_endpoint"
    }  # fmt: skip
    assert SECRET not in str(caught.value) + repr(caught.value)
