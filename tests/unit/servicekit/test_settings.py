"""Settings: where they come from, which source wins, and how mistakes are told."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Annotated, Literal

import pytest
from pydantic import Field, ValidationError, model_validator

from servicekit.settings import ListenAddress, Loaded, Problem, SettingsError, SettingsModel, load


class Voice(SettingsModel):
    name: str = "en"
    speed: float = 1.0


class Policy(SettingsModel):
    inbound: Literal["open", "allowlist"] = "open"
    allowed: tuple[str, ...] = ()

    @model_validator(mode="after")
    def _complete(self) -> Policy:
        if self.inbound == "allowlist" and not self.allowed:
            raise ValueError("an allowlist needs at least one number in `allowed`")
        return self


class ExampleSettings(SettingsModel):
    listen: ListenAddress = "127.0.0.1:0"
    capacity: Annotated[int, Field(ge=1)] = 4
    enabled: bool = True
    deadline_s: float | None = 2.0
    languages: list[str] = Field(default_factory=list)
    ports: list[int] = Field(default_factory=list)
    voices: dict[str, Voice] = Field(default_factory=dict)
    extras: list[Voice] = Field(default_factory=list)
    policy: Policy = Policy()
    model_path: Path | None = None


class Strict(SettingsModel):
    public_url: str


def loaded(
    tmp_path: Path, toml: str = "", environ: Mapping[str, str] | None = None, overrides: Sequence[str] = ()
) -> Loaded[ExampleSettings]:
    file = tmp_path / "parley.toml"
    file.write_text(toml, encoding="utf-8")
    return load("stt", ExampleSettings, config=file, environ=environ or {}, overrides=overrides)


def problems(
    tmp_path: Path, toml: str = "", environ: Mapping[str, str] | None = None, overrides: Sequence[str] = ()
) -> tuple[Problem, ...]:
    with pytest.raises(SettingsError) as caught:
        loaded(tmp_path, toml, environ, overrides)
    return caught.value.problems


def test_without_any_source_the_defaults_hold() -> None:
    assert load("stt", ExampleSettings, environ={}).service == ExampleSettings()


def test_the_environment_wins_over_the_file_and_overrides_over_both(tmp_path: Path) -> None:
    toml = "[stt]\ncapacity = 1\nenabled = false\nlisten = '127.0.0.1:1'"
    environ = {"PARLEY_STT__CAPACITY": "2", "PARLEY_STT__LISTEN": "127.0.0.1:2"}
    service = loaded(tmp_path, toml, environ, ["stt.listen=127.0.0.1:3"]).service
    assert (service.enabled, service.capacity, service.listen) == (False, 2, "127.0.0.1:3")


def test_tables_are_merged_field_by_field(tmp_path: Path) -> None:
    toml = "[stt.policy]\ninbound = 'allowlist'\nallowed = ['a']\n[stt.voices.anna]\nname = 'de'"
    environ = {"PARLEY_STT__POLICY__ALLOWED": "b, c", "PARLEY_STT__VOICES__ANNA__SPEED": "1.5"}
    service = loaded(tmp_path, toml, environ).service
    assert service.policy == Policy(inbound="allowlist", allowed=("b", "c"))
    assert service.voices == {"anna": Voice(name="de", speed=1.5)}


@pytest.mark.parametrize(
    ("variable", "text", "field", "value"),
    [
        ("CAPACITY", "7", "capacity", 7),
        ("ENABLED", "off", "enabled", False),
        ("ENABLED", "TRUE", "enabled", True),
        ("DEADLINE_S", "0.25", "deadline_s", 0.25),
        ("DEADLINE_S", "", "deadline_s", None),
        ("LANGUAGES", "en, de,,fr", "languages", ["en", "de", "fr"]),
        ("LANGUAGES", '["en", "de"]', "languages", ["en", "de"]),
        ("LANGUAGES", "", "languages", []),
        ("PORTS", "1,2", "ports", [1, 2]),
        ("EXTRAS", '[{"name": "x"}]', "extras", [Voice(name="x")]),
        ("VOICES", '{"a": {"speed": 2}}', "voices", {"a": Voice(speed=2.0)}),
        ("MODEL_PATH", "/models/tiny", "model_path", Path("/models/tiny")),
    ],
)
def test_text_is_read_as_its_field_needs_it(variable: str, text: str, field: str, value: object) -> None:
    from_environment = load("stt", ExampleSettings, environ={f"PARLEY_STT__{variable}": text}).service
    from_override = load("stt", ExampleSettings, environ={}, overrides=[f"stt.{field}={text}"]).service
    assert getattr(from_environment, field) == value
    assert getattr(from_override, field) == value


def test_a_table_as_json_and_one_of_its_fields_go_together(tmp_path: Path) -> None:
    environ = {"PARLEY_STT__VOICES": '{"a": {"speed": 2}}', "PARLEY_STT__VOICES__A__NAME": "x"}
    assert loaded(tmp_path, "", environ).service.voices == {"a": Voice(name="x", speed=2.0)}


def test_sections_of_other_services_are_ignored(tmp_path: Path) -> None:
    toml = "[gateway]\nanything = 'goes'\n[tts]\nx = 1"
    environ = {"PARLEY_GATEWAY__WHATEVER": "1"}
    assert loaded(tmp_path, toml, environ, ["tts.y=2"]).service == ExampleSettings()


def test_every_service_reads_telemetry_and_logs(tmp_path: Path) -> None:
    both = loaded(tmp_path, "[telemetry]\ntraces_endpoint = 'http://jaeger:4317/'\n[logs]\nlevel = 'DEBUG'")
    assert both.telemetry.traces_endpoint == "jaeger:4317"
    assert both.logs.level == "debug"


def test_variables_without_double_underscore_are_not_ours(tmp_path: Path) -> None:
    environ = {"PARLEY_STT_SERVICE_HOST": "10.0.0.1", "PARLEY_STT_PORT": "tcp://x", "PARLEY_": "", "PARLEY___X": "1"}
    assert loaded(tmp_path, "", environ).service == ExampleSettings()


def test_the_file_may_be_named_by_the_environment(tmp_path: Path) -> None:
    file = tmp_path / "other.toml"
    file.write_text("[stt]\ncapacity = 9")
    assert load("stt", ExampleSettings, environ={"PARLEY_CONFIG": str(file)}).service.capacity == 9


def test_settings_cannot_be_changed_afterwards() -> None:
    service = load("stt", ExampleSettings, environ={}).service
    with pytest.raises(ValidationError):
        service.capacity = 5


def test_every_mistake_is_named_in_one_go(tmp_path: Path) -> None:
    found = problems(
        tmp_path,
        "[stt]\ncapacity = 0\nlistn = 'x'\n[stt.policy]\ninbound = 'closed'\n[stt_servise]\nx = 1\n"
        "[logs]\nlevel = 'loud'\n[telemetry]\ntraces_endpoint = 'jaeger'",
        {"PARLEY_STT__PORTS": "1,x", "PARLEY_STT__CAPACTY": "3", "PARLEY_SST__LISTEN": "x"},
        ["stt.deadline_s=soon", "stt.enabled"],
    )
    assert {problem.name for problem in found} == {
        "stt.capacity",
        "stt.listn",
        "stt.policy.inbound",
        "stt_servise",
        "logs.level",
        "telemetry.traces_endpoint",
        "stt.ports.1",
        "stt.capacty",
        "sst.listen",
        "stt.deadline_s",
        "stt.enabled",
    }


def test_a_misspelt_name_gets_a_suggestion(tmp_path: Path) -> None:
    found = problems(tmp_path, "[stt]\nlistn = '127.0.0.1:1'\n[stt.policy]\ninbond = 'open'\n[telemetri]\n")
    remedies = {problem.name: problem.remedy for problem in found}
    assert remedies == {
        "stt.listn": "did you mean 'listen'?",
        "stt.policy.inbond": "did you mean 'inbound'?",
        "telemetri": "did you mean 'telemetry'?",
    }


def test_a_name_like_no_other_gets_the_list(tmp_path: Path) -> None:
    (found,) = problems(tmp_path, "[stt.policy]\nzzzz = 1")
    assert found.remedy == "known here: allowed, inbound"


def test_a_mistake_says_where_it_came_from_and_what_it_was(tmp_path: Path) -> None:
    (from_file,) = problems(tmp_path, "[stt]\ncapacity = 'many'")
    assert str(from_file) == (
        "stt.capacity: should be a valid integer, unable to parse string as an integer, not 'many' (parley.toml)"
    )
    (from_variable,) = problems(tmp_path, "[stt]\ncapacity = 3", {"PARLEY_STT__CAPACITY": "0"})
    assert str(from_variable) == "stt.capacity: should be greater than or equal to 1, not '0' (PARLEY_STT__CAPACITY)"


def test_a_rule_over_several_fields_names_their_table(tmp_path: Path) -> None:
    (found,) = problems(tmp_path, "[stt.policy]\ninbound = 'allowlist'")
    assert found.name == "stt.policy"
    assert found.message.startswith("an allowlist needs at least one number")


def test_what_is_required_says_how_to_give_it() -> None:
    with pytest.raises(SettingsError) as caught:
        load("gateway", Strict, environ={})
    (found,) = caught.value.problems
    assert found.name == "gateway.public_url"
    assert "PARLEY_GATEWAY__PUBLIC_URL" in found.remedy


def test_a_value_in_the_wrong_element_is_named_by_its_place(tmp_path: Path) -> None:
    found = problems(tmp_path, "[[stt.extras]]\nname = 'a'\n[[stt.extras]]\nspeed = 'fast'\n[stt.voices.b]\nsped = 1")
    assert {problem.name for problem in found} == {"stt.extras.1.speed", "stt.voices.b.sped"}


@pytest.mark.parametrize("text", ["[1, 2", "[" * 3000])
def test_broken_json_is_a_mistake_like_any_other(text: str) -> None:
    with pytest.raises(SettingsError, match="should be a JSON list or values separated by commas"):
        load("stt", ExampleSettings, environ={"PARLEY_STT__PORTS": text})


def test_a_table_cannot_be_given_as_plain_text(tmp_path: Path) -> None:
    (found,) = problems(tmp_path, "", {"PARLEY_STT__POLICY": "open"})
    assert "set its fields one by one" in found.message


def test_nothing_lies_below_a_plain_value(tmp_path: Path) -> None:
    (found,) = problems(tmp_path, "", {"PARLEY_STT__CAPACITY__MAX": "3"})
    assert found.name == "stt.capacity.max"


def test_a_section_must_be_a_table(tmp_path: Path) -> None:
    (found,) = problems(tmp_path, "stt = 3")
    assert (found.name, found.message) == ("stt", "should be a table")


def test_broken_toml_is_told_with_its_line(tmp_path: Path) -> None:
    (found,) = problems(tmp_path, "[stt]\ncapacity = \n")
    assert found.name.endswith("parley.toml")
    assert "line 2" in found.message


def test_a_file_that_is_not_there_is_told_by_its_path(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match="does not exist"):
        load("stt", ExampleSettings, config=tmp_path / "none.toml", environ={})


def test_a_file_that_is_no_text_is_told(tmp_path: Path) -> None:
    file = tmp_path / "parley.toml"
    file.write_bytes(b"\xff\xfe\x00")
    with pytest.raises(SettingsError, match="not UTF-8"):
        load("stt", ExampleSettings, config=file, environ={})
    with pytest.raises(SettingsError, match="cannot be read"):
        load("stt", ExampleSettings, config=tmp_path, environ={})


@pytest.mark.parametrize("address", ["8080", "127.0.0.1", "127.0.0.1:x", ":99999", "h:70000", "127.0.0.1:²"])
def test_an_address_without_host_or_port_is_refused(address: str) -> None:
    with pytest.raises(SettingsError, match="should be host:port"):
        load("stt", ExampleSettings, environ={}, overrides=[f"stt.listen={address}"])
