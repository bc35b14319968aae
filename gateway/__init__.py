"""The gateway: holds the line. Carriers' webhooks and media on one side, `Converse` on the other.

Public face: `GatewaySettings` (what can be set) and `run` (the service, for `servicekit.process.main`).
"""

from gateway.service import run
from gateway.settings import GatewaySettings

__all__ = ["GatewaySettings", "run"]
