"""Running services as supervised processes on one machine: what `parley serve`, the demo, tests and benches use."""

from toolbox.serve.backoff import RestartPolicy
from toolbox.serve.events import Happened, ServiceEvent, ServiceFailedError
from toolbox.serve.group import ServiceGroup, is_alive
from toolbox.serve.merged_log import MergedLog
from toolbox.serve.spec import ServiceSpec
from toolbox.serve.standard import SERVICES, elsewhere, free_port, standard_specs

__all__ = [
    "SERVICES",
    "Happened",
    "MergedLog",
    "RestartPolicy",
    "ServiceEvent",
    "ServiceFailedError",
    "ServiceGroup",
    "ServiceSpec",
    "elsewhere",
    "free_port",
    "is_alive",
    "standard_specs",
]
