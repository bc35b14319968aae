"""The whole house in real time: real processes, real calls over the simulated line."""

from toolbox.bench.turn_taking.real.run import RealResult, run_real

__all__ = ["RealResult", "run_real"]
