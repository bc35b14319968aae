"""Whether a request comes from our Twilio account.

The address that Twilio signs is the one it was told to call, so it is rebuilt from the configured `public_url` and
never from what a request says about itself. Source: Twilio's "Webhooks Security".
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Final

from starlette.datastructures import Headers
from twilio.request_validator import RequestValidator

SIGNATURE_HEADER: Final = "x-twilio-signature"
_SETTINGS_HEADERS: Final = ("x-twilio-webhooks-signature-settings", "x-twilio-signature-settings")
_ALGORITHM: Final = "HMAC_SHA1"


class SignatureCheck:
    """Checks requests and upgrades against one auth token and one public address."""

    def __init__(self, *, auth_token: str, public_url: str) -> None:
        self._validator = RequestValidator(auth_token)
        self._public_url = public_url

    def request(self, headers: Headers, target: str, form: Iterable[tuple[str, str]]) -> bool:
        """Whether a POST of this form to this path and query was signed."""
        return self._signed(headers, self._public_url + target, _Form(form))

    def upgrade(self, headers: Headers, target: str) -> bool:
        """Whether a WebSocket upgrade at this path was signed."""
        return self._signed(headers, "ws" + self._public_url.removeprefix("http") + target, {})

    def _signed(self, headers: Headers, url: str, form: Mapping[str, str]) -> bool:
        if not all(_is_ours(value) for name in _SETTINGS_HEADERS for value in headers.getlist(name)):
            return False
        signatures = headers.getlist(SIGNATURE_HEADER)
        if len(signatures) != 1 or not signatures[0].isascii():
            return False
        return bool(self._validator.validate(url, form, signatures[0]))


def _is_ours(settings: str) -> bool:
    """Whether signature settings name no algorithm but the one we hold a secret for."""
    for part in settings.split(","):
        name, _, value = part.partition("=")
        if name.strip().casefold() == "algorithm" and value.strip().upper() != _ALGORITHM:
            return False
    return True


class _Form(dict[str, str]):
    """A form as the validator wants it: a mapping that knows of repeated names."""

    def __init__(self, fields: Iterable[tuple[str, str]]) -> None:
        fields = list(fields)
        super().__init__(fields)
        self._all: dict[str, list[str]] = {}
        for name, value in fields:
            self._all.setdefault(name, []).append(value)

    def getlist(self, name: str) -> Sequence[str]:
        return self._all[name]
