"""Spans of RPCs that tell the truth, and a boundary that lets no exception's text out.

OpenTelemetry's contributed gRPC interceptors are unfit for long streams: they break servicers that use
``context.read``, report cancelled and failed spans as OK, and end a cancelled client span at garbage collection.
"""

from servicekit.interceptors.client import ClientRpc, client_rpc
from servicekit.interceptors.server import server_interceptors

__all__ = ["ClientRpc", "client_rpc", "server_interceptors"]
