"""The life of a gRPC server: health, admission, and an end that finishes what was begun."""

from servicekit.server.drain import DrainSettings
from servicekit.server.life import GrpcServer
from servicekit.server.slots import Lease, Slots

__all__ = ["DrainSettings", "GrpcServer", "Lease", "Slots"]
