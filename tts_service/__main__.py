"""`python -m tts_service`."""

from servicekit.process import main
from tts_service.serve import run
from tts_service.settings import TtsSettings

if __name__ == "__main__":
    main(name="parley-tts", section="tts", settings=TtsSettings, run=run)
