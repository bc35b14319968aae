"""`python -m stt_service`."""

from servicekit.process import main
from stt_service.serve import run
from stt_service.settings import SttSettings

if __name__ == "__main__":
    main(name="parley-stt", section="stt", settings=SttSettings, run=run)
