"""What Twilio is told to do with a call: TwiML documents, through the SDK's own builder."""

from __future__ import annotations

from twilio.twiml.voice_response import Connect, VoiceResponse

TOKEN_PARAMETER = "token"


def connect(*, stream_url: str, token: str, resume_url: str) -> str:
    """Open a stream; when it ends, ask at `resume_url` how to go on."""
    response = VoiceResponse()
    verb = Connect()
    # Twilio drops a query string from a stream's address, so the token travels as a parameter.
    verb.stream(url=stream_url).parameter(name=TOKEN_PARAMETER, value=token)
    response.append(verb)
    response.redirect(resume_url, method="POST")
    return str(response)


def busy() -> str:
    """Refuse the call with a busy tone."""
    response = VoiceResponse()
    response.reject(reason="busy")
    return str(response)


def refuse() -> str:
    """Refuse the call as a number out of service does."""
    response = VoiceResponse()
    response.reject(reason="rejected")
    return str(response)


def hang_up() -> str:
    """End the call."""
    response = VoiceResponse()
    response.hangup()
    return str(response)


def dial(number: str) -> str:
    """Pass the call to a number, and end it when that one hangs up."""
    response = VoiceResponse()
    response.dial(number)
    response.hangup()
    return str(response)


def apologise(text: str, language: str) -> str:
    """Say that something went wrong, in the carrier's voice since ours is not to be had, and end the call."""
    response = VoiceResponse()
    response.say(text, language=language)
    response.hangup()
    return str(response)
