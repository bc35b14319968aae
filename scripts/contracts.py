"""Generate the Python beside the contracts, check that it is fresh, or accept a new baseline.

Run by ``make contracts``, ``make contracts-fresh`` and ``make contracts-baseline`` in a virtual environment that holds
``protos/requirements-toolchain.txt``: the generated code demands at least the grpcio it was generated with, so it is
generated with the oldest one supported, whatever the project itself runs on.
"""

from __future__ import annotations

import argparse
import os
import sys
import tempfile
from pathlib import Path

from grpc_tools import protoc

PROTOS = Path(__file__).resolve().parents[1] / "protos"
GENERATED = ("*_pb2.py", "*_pb2.pyi", "*_pb2_grpc.py", "*_pb2_grpc.pyi")


def sources() -> list[str]:
    """The contracts, relative to ``protos/``."""
    return sorted(str(path.relative_to(PROTOS)) for path in PROTOS.rglob("*.proto"))


def run(*arguments: str) -> None:
    """Run protoc on every contract; exit with its words when it refuses."""
    well_known = Path(protoc.__file__).parent / "_proto"
    # protoc finds its mypy plug-ins beside the interpreter that runs this.
    os.environ["PATH"] = f"{Path(sys.executable).parent}{os.pathsep}{os.environ.get('PATH', '')}"
    code = protoc.main(["protoc", f"-I{PROTOS}", f"-I{well_known}", *arguments, *sources()])
    if code != 0:
        sys.exit(f"protoc failed with {code}; its words are above")


def generate(into: Path) -> None:
    """Write the generated code below ``into``."""
    run(*(f"--{plugin}_out={into}" for plugin in ("python", "grpc_python", "mypy", "mypy_grpc")))


def generated_below(folder: Path) -> dict[str, bytes]:
    """Path relative to ``folder`` → content of every generated file."""
    paths = (path for pattern in GENERATED for path in (folder / "parley").rglob(pattern))
    return {str(path.relative_to(folder)): path.read_bytes() for path in paths}


def stale() -> list[str]:
    """Sentences naming each generated file that is not what the contracts say."""
    with tempfile.TemporaryDirectory() as folder:
        generate(Path(folder))
        fresh, committed = generated_below(Path(folder)), generated_below(PROTOS)
    return [
        *(f"{name} is missing" for name in sorted(fresh.keys() - committed.keys())),
        *(f"{name} has no contract any more" for name in sorted(committed.keys() - fresh.keys())),
        *(f"{name} differs" for name in sorted(fresh.keys() & committed.keys()) if fresh[name] != committed[name]),
    ]


def main() -> None:
    """Entry point."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("action", choices=("generate", "check", "baseline"))
    action = parser.parse_args().action
    if action == "generate":
        generate(PROTOS)
    elif action == "baseline":
        run(f"--descriptor_set_out={PROTOS / 'baseline.binpb'}")
    elif found := stale():
        sys.exit("\n".join(["generated contracts are stale; run `make contracts` and commit the result:", *found]))


if __name__ == "__main__":
    main()
