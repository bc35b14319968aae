"""What files of process tests share: one gateway process each, with everything around it."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.fakes.gateway_world import GatewayWorld


@pytest.fixture(scope="module")
def world() -> Iterator[GatewayWorld]:
    """A gateway whose surroundings are scripted."""
    with GatewayWorld() as surroundings:
        yield surroundings
