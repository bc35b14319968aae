"""Speech by any server that speaks OpenAI's speech API: openai-edge-tts, Kokoro-FastAPI, Speaches, LocalAI."""
