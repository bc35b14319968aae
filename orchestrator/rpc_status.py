"""What a failed stream's status really was."""

from __future__ import annotations

import grpc
import grpc.aio

_MASK = "Internal error from Core"


def true_status(error: grpc.aio.AioRpcError) -> grpc.StatusCode:
    """The status of a failed RPC, seen through grpc.aio's own mask.

    A write that meets a stream which the server has just ended makes grpc.aio report INTERNAL ("Internal
    error from Core") in place of the server's status, for good (grpcio 1.85). What is known then is only that the
    stream is gone: UNAVAILABLE.
    """
    if error.code() is grpc.StatusCode.INTERNAL and error.details() == _MASK:
        return grpc.StatusCode.UNAVAILABLE
    return error.code()
