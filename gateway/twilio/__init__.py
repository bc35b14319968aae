"""Twilio as a carrier: its webhooks, its media socket, its JSON.

Public face: `twilio_routes`, the routes of the public port that belong to Twilio.
"""

from gateway.twilio.routes import twilio_routes

__all__ = ["twilio_routes"]
