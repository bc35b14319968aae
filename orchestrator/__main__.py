"""``python -m orchestrator``: the service that holds the conversations."""

from orchestrator.server import serve
from orchestrator.settings import OrchestratorSettings
from servicekit.process import main

if __name__ == "__main__":
    main(name="parley-orchestrator", section="orchestrator", settings=OrchestratorSettings, run=serve)
