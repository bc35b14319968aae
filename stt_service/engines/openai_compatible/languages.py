"""Languages as Whisper servers name them in their answers: by code (Speaches, vLLM) or in English (whisper.cpp)."""

from __future__ import annotations

from typing import Final

# Whisper's own codes and names; jw is its one code that is not BCP 47's.
_NAMES: Final = (  # noqa: SIM905 - a table that people can read
    "en english zh chinese de german es spanish ru russian ko korean fr french ja japanese pt portuguese tr turkish "
    "pl polish ca catalan nl dutch ar arabic sv swedish it italian id indonesian hi hindi fi finnish vi vietnamese "
    "he hebrew uk ukrainian el greek ms malay cs czech ro romanian da danish hu hungarian ta tamil no norwegian "
    "th thai ur urdu hr croatian bg bulgarian lt lithuanian la latin mi maori ml malayalam cy welsh sk slovak "
    "te telugu fa persian lv latvian bn bengali sr serbian az azerbaijani sl slovenian kn kannada et estonian "
    "mk macedonian br breton eu basque is icelandic hy armenian ne nepali mn mongolian bs bosnian kk kazakh "
    "sq albanian sw swahili gl galician mr marathi pa punjabi si sinhala km khmer sn shona yo yoruba so somali "
    "af afrikaans oc occitan ka georgian be belarusian tg tajik sd sindhi gu gujarati am amharic yi yiddish lo lao "
    "uz uzbek fo faroese ps pashto tk turkmen nn nynorsk mt maltese sa sanskrit lb luxembourgish my myanmar "
    "bo tibetan tl tagalog mg malagasy as assamese tt tatar ln lingala ha hausa ba bashkir jw javanese su sundanese "
    "yue cantonese haw hawaiian"
).split()
_CODES: Final = dict(zip(_NAMES[1::2], _NAMES[::2], strict=True)) | {"haitian creole": "ht"}
_BCP_47: Final = {"jw": "jv"}
_WHISPER: Final = {"jv": "jw"}
_LONGEST_CODE = 3


def to_bcp47(said: str) -> str:
    """The BCP 47 language of a code or an English name; empty when it is neither."""
    name = said.strip().lower()
    code = _CODES.get(name, name)
    return _BCP_47.get(code, code) if len(code) <= _LONGEST_CODE and code.isalpha() else ""


def to_whisper(language: str) -> str:
    """The code that Whisper servers expect for a primary BCP 47 language."""
    return _WHISPER.get(language, language)
