"""Recognition by any server that speaks OpenAI's transcription API: Speaches, whisper.cpp, vLLM, LocalAI."""
