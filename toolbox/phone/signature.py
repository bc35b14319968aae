"""Twilio's request signature: base64(HMAC-SHA1(auth token, URL followed by the sorted form parameters)).

Written here and not taken from the SDK, so that a gateway that validates with the SDK is tested against a second
implementation.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
from collections.abc import Mapping


def sign(auth_token: str, url: str, parameters: Mapping[str, str] | None = None) -> str:
    """Sign a request.

    Args:
        auth_token: The account's secret.
        url: The full URL exactly as configured or written in the TwiML, query string included.
        parameters: The form's parameters; none for GET requests and for a stream's WebSocket upgrade.

    Returns:
        The value of `X-Twilio-Signature`.
    """
    signed = url + "".join(name + value for name, value in sorted((parameters or {}).items()))
    digest = hmac.new(auth_token.encode(), signed.encode(), hashlib.sha1).digest()
    return base64.b64encode(digest).decode("ascii")
