"""`python -m gateway`."""

from gateway.service import run
from gateway.settings import GatewaySettings
from servicekit.process import main

if __name__ == "__main__":
    main(name="parley-gateway", section="gateway", settings=GatewaySettings, run=run)
