"""The REST API's representations: the fields and formats that Twilio's SDK reads."""

from __future__ import annotations

import email.utils
from datetime import UTC, datetime
from typing import Any

from toolbox.phone.call import Call
from toolbox.phone.numbers import IncomingNumber
from toolbox.phone.recordings import Recording

API_VERSION = "2010-04-01"
Resource = dict[str, Any]


def account_uri(account_sid: str) -> str:
    """The path of an account."""
    return f"/{API_VERSION}/Accounts/{account_sid}"


def rfc2822(moment: datetime | None) -> str | None:
    """Twilio's date format, or null."""
    return None if moment is None else email.utils.format_datetime(moment.astimezone(UTC))


def call_resource(call: Call) -> Resource:
    """A call."""
    uri = f"{account_uri(call.account_sid)}/Calls/{call.sid}"
    return {
        "sid": call.sid,
        "account_sid": call.account_sid,
        "annotation": None,
        "answered_by": call.answered_by,
        "api_version": API_VERSION,
        "caller_name": dict(call.extra).get("CallerName"),
        "date_created": rfc2822(call.created),
        "date_updated": rfc2822(call.updated),
        "direction": call.direction,
        "duration": str(call.seconds) if call.ended is not None else None,
        "end_time": rfc2822(call.ended),
        "forwarded_from": dict(call.extra).get("ForwardedFrom"),
        "from": call.from_,
        "from_formatted": call.from_,
        "group_sid": None,
        "parent_call_sid": call.parent_sid or None,
        "phone_number_sid": None,
        "price": None,
        "price_unit": "USD",
        "queue_time": "0",
        "start_time": rfc2822(call.started),
        "status": "queued" if call.status == "initiated" else call.status,
        "subresource_uris": {"recordings": f"{uri}/Recordings.json"},
        "to": call.to,
        "to_formatted": call.to,
        "trunk_sid": None,
        "uri": f"{uri}.json",
    }


def recording_resource(account_sid: str, recording: Recording, api_base: str) -> Resource:
    """A recording."""
    uri = f"{account_uri(account_sid)}/Recordings/{recording.sid}"
    return {
        "sid": recording.sid,
        "account_sid": account_sid,
        "api_version": API_VERSION,
        "call_sid": recording.call_sid,
        "channels": len(recording.channels),
        "conference_sid": None,
        "date_created": rfc2822(recording.started),
        "date_updated": rfc2822(recording.started),
        "duration": str(recording.seconds),
        "encryption_details": None,
        "error_code": None,
        "media_url": f"{api_base}{uri}",
        "price": None,
        "price_unit": "USD",
        "source": recording.source,
        "start_time": rfc2822(recording.started),
        "status": "processing" if recording.misses_left else "completed",
        "subresource_uris": {},
        "track": "both",
        "uri": f"{uri}.json",
    }


def number_resource(account_sid: str, number: IncomingNumber) -> Resource:
    """A number of the account."""
    return {
        "sid": number.sid,
        "account_sid": account_sid,
        "address_requirements": "none",
        "address_sid": None,
        "api_version": API_VERSION,
        "beta": False,
        "bundle_sid": None,
        "capabilities": {"voice": True, "sms": False, "mms": False, "fax": False},
        "date_created": rfc2822(number.created),
        "date_updated": rfc2822(number.updated),
        "emergency_address_sid": None,
        "emergency_address_status": "unregistered",
        "emergency_status": "Inactive",
        "friendly_name": number.friendly_name,
        "identity_sid": None,
        "origin": "twilio",
        "phone_number": number.number,
        "sms_application_sid": "",
        "sms_fallback_method": "POST",
        "sms_fallback_url": "",
        "sms_method": "POST",
        "sms_url": "",
        "status": "in-use",
        "status_callback": number.status_callback,
        "status_callback_method": number.status_callback_method,
        "trunk_sid": None,
        "uri": f"{account_uri(account_sid)}/IncomingPhoneNumbers/{number.sid}.json",
        "voice_application_sid": "",
        "voice_caller_id_lookup": False,
        "voice_fallback_method": "POST",
        "voice_fallback_url": number.voice_fallback_url,
        "voice_method": number.voice_method,
        "voice_receive_mode": "voice",
        "voice_url": number.voice_url,
    }


def account_resource(account_sid: str) -> Resource:
    """The account itself."""
    return {
        "sid": account_sid,
        "auth_token": "",
        "date_created": None,
        "date_updated": None,
        "friendly_name": "Simulated account",
        "owner_account_sid": account_sid,
        "status": "active",
        "subresource_uris": {},
        "type": "Full",
        "uri": f"{account_uri(account_sid)}.json",
    }
