"""Every span, attribute, event and metric name that Parley emits: one list, so that a name is never spelt twice.

Names of RPC and GenAI are OpenTelemetry's as of November 2026: RPC from the semantic conventions' registry (stable:
``rpc.system.name``, the fully qualified ``rpc.method`` and ``rpc.response.status_code`` replaced ``rpc.system``,
``rpc.service`` and ``rpc.grpc.status_code``), GenAI from its own repository
(open-telemetry/semantic-conventions-genai). They are written out here because the Python package keeps them in a
private module. Names under ``voice.`` and ``parley.`` are ours.

No attribute or event here ever holds what was said, a telephone number or a token.
"""

from __future__ import annotations

from typing import Final

# Spans ------------------------------------------------------------------------------------------------------------
# One trace per turn, its root linked to the call's set-up; an RPC's span is named by its method.

SPAN_CALL_SETUP: Final = "call.setup"
"""Gateway and orchestrator: from the webhook or the stream's start until the conversation is ready. Short."""
SPAN_TURN: Final = "turn"
"""Root of a turn's trace: opens with the utterance, ends when its last playout has."""
SPAN_ENDPOINTING: Final = "endpointing"
"""From the caller's end of speech until the turn is committed."""
SPAN_RESPONSE: Final = "response"
"""From the caller's end of speech until the reply's first frame is sent: the latency people feel."""
SPAN_PLAYBACK: Final = "playback"
"""Gateway: one playout, from its first frame until the last mark or the clear."""
SPAN_TTS_SEGMENT: Final = "tts.segment"
"""Text to speech: one segment through the engine."""
SPAN_STT_DECODE: Final = "stt.decode"
"""Speech to text: one pass of the engine over an utterance."""
SPAN_WEBHOOK: Final = "webhook"
"""Gateway: one request of the carrier, the route as attribute."""
SPAN_CALL_CONTROL: Final = "call.control"
"""Gateway: one hang-up, transfer, hold or digit string carried out."""


def chat_span(model: str) -> str:
    """Name of the span of one request to a language model, as the GenAI conventions have it: ``chat {model}``."""
    return f"{GEN_AI_OPERATION_CHAT} {model}"


# Attributes: a voice call -------------------------------------------------------------------------------------------

VOICE_CALL_ID: Final = "voice.call.id"
VOICE_CALL_DIRECTION: Final = "voice.call.direction"
VOICE_CALL_PROFILE: Final = "voice.call.profile"
VOICE_CALL_TRANSPORT: Final = "voice.call.transport"
VOICE_CALL_END_REASON: Final = "voice.call.end_reason"
VOICE_TURN_ID: Final = "voice.turn.id"
VOICE_TURN_OUTCOME: Final = "voice.turn.outcome"
"""One of the OUTCOME_ values."""
VOICE_TURN_JOINS: Final = "voice.turn.joins"
"""The turn whose utterance this one continues."""
VOICE_TURN_ENDPOINT_RULE: Final = "voice.turn.endpoint_rule"
"""Which rule of endpointing committed the turn."""
VOICE_UTTERANCE_ID: Final = "voice.utterance.id"
VOICE_CANDIDATE_ID: Final = "voice.candidate.id"
VOICE_PLAYOUT_ID: Final = "voice.playout.id"
VOICE_PLAYOUT_KIND: Final = "voice.playout.kind"
VOICE_PLAYOUT_CONTINUES: Final = "voice.playout.continues"
VOICE_SPECULATION: Final = "voice.speculation"
"""One of the SPECULATION_ values."""
VOICE_INTERRUPTED_BY: Final = "voice.interrupted_by"
"""The turn that cut this one short."""
VOICE_SPECULATIONS_WASTED: Final = "voice.speculations_wasted"
"""Early replies of the turn that were asked for and thrown away."""
VOICE_FILLER_MS: Final = "voice.filler_ms"
"""From the caller's end of speech until a filler's first frame was sent; the reply is counted apart."""
VOICE_RESPONSE_LATENCY_MS: Final = "voice.response_latency_ms"
VOICE_BARGE_IN_MS: Final = "voice.barge_in_ms"
VOICE_HEARD_CHARACTERS: Final = "voice.heard.characters"
VOICE_SAID_CHARACTERS: Final = "voice.said.characters"
VOICE_TRANSCRIPT_CHARACTERS: Final = "voice.transcript.characters"
VOICE_LANGUAGE: Final = "voice.language"
VOICE_FRAMES: Final = "voice.frames"
VOICE_AUDIO_MS: Final = "voice.audio_ms"
VOICE_AUDIO_FORMAT: Final = "voice.audio.format"
VOICE_MARK: Final = "voice.mark"
VOICE_SEGMENT: Final = "voice.segment"
VOICE_SEGMENT_CHARACTERS: Final = "voice.segment.characters"
VOICE_CACHED: Final = "voice.cached"
VOICE_CACHE_PLACE: Final = "voice.cache.place"
"""Where kept speech lies: ``memory`` or ``disk``."""
VOICE_PARTIALS: Final = "voice.partials"
VOICE_FINALIZE_ID: Final = "voice.finalize.id"
VOICE_ENGINE: Final = "voice.engine"
VOICE_MODEL: Final = "voice.model"
VOICE_VOICE: Final = "voice.voice"
VOICE_QUEUE_MS: Final = "voice.queue_ms"
"""How long work waited for its engine."""
VOICE_STT_URGENCY: Final = "voice.stt.urgency"
"""``final``, ``partial`` or ``recording``."""
VOICE_ATTEMPT: Final = "voice.attempt"
VOICE_CONTROL_ACTION: Final = "voice.control.action"
VOICE_CONTROL_STATUS: Final = "voice.control.status"

OUTCOME_COMPLETED: Final = "completed"
OUTCOME_INTERRUPTED: Final = "interrupted"
OUTCOME_DISCARDED: Final = "discarded"
OUTCOME_REOPENED: Final = "reopened"
OUTCOME_BACKCHANNEL: Final = "backchannel"
OUTCOME_ECHO: Final = "echo"
OUTCOME_EMPTY: Final = "empty"
OUTCOME_ABANDONED: Final = "abandoned"
OUTCOME_ERROR: Final = "error"

SPECULATION_HIT: Final = "hit"
SPECULATION_MISS: Final = "miss"
SPECULATION_NONE: Final = "none"

# Attributes: RPC (OpenTelemetry registry) ---------------------------------------------------------------------------

RPC_SYSTEM_NAME: Final = "rpc.system.name"
RPC_SYSTEM_GRPC: Final = "grpc"
RPC_METHOD: Final = "rpc.method"
RPC_RESPONSE_STATUS_CODE: Final = "rpc.response.status_code"
"""The gRPC status by name, such as ``OK`` or ``CANCELLED``."""
RPC_ERROR_REASON: Final = "parley.rpc.error_reason"
"""``google.rpc.ErrorInfo.reason`` of a refused or failed RPC."""
ERROR_TYPE: Final = "error.type"
EXCEPTION_TYPE: Final = "exception.type"
EXCEPTION_STACKTRACE: Final = "exception.stacktrace"
SERVER_ADDRESS: Final = "server.address"
SERVER_PORT: Final = "server.port"
HTTP_ROUTE: Final = "http.route"
HTTP_RESPONSE_STATUS_CODE: Final = "http.response.status_code"

# Attributes: GenAI (OpenTelemetry GenAI conventions) ----------------------------------------------------------------

GEN_AI_OPERATION_NAME: Final = "gen_ai.operation.name"
GEN_AI_OPERATION_CHAT: Final = "chat"
GEN_AI_PROVIDER_NAME: Final = "gen_ai.provider.name"
GEN_AI_CONVERSATION_ID: Final = "gen_ai.conversation.id"
GEN_AI_REQUEST_MODEL: Final = "gen_ai.request.model"
GEN_AI_REQUEST_MAX_TOKENS: Final = "gen_ai.request.max_tokens"
GEN_AI_REQUEST_TEMPERATURE: Final = "gen_ai.request.temperature"
GEN_AI_REQUEST_STREAM: Final = "gen_ai.request.stream"
GEN_AI_RESPONSE_ID: Final = "gen_ai.response.id"
GEN_AI_RESPONSE_MODEL: Final = "gen_ai.response.model"
GEN_AI_RESPONSE_FINISH_REASONS: Final = "gen_ai.response.finish_reasons"
GEN_AI_RESPONSE_TIME_TO_FIRST_CHUNK: Final = "gen_ai.response.time_to_first_chunk"
"""Seconds from the request to the first chunk."""
GEN_AI_USAGE_INPUT_TOKENS: Final = "gen_ai.usage.input_tokens"
GEN_AI_USAGE_OUTPUT_TOKENS: Final = "gen_ai.usage.output_tokens"
GEN_AI_TOOL_NAME: Final = "gen_ai.tool.name"

# Events: milestones on a span; the frames between them are counts ---------------------------------------------------

EVENT_SPEECH_STARTED: Final = "speech_started"
EVENT_SPEECH_ENDED: Final = "speech_ended"
EVENT_STT_PARTIAL: Final = "stt_partial"
EVENT_STT_FINAL: Final = "stt_final"
EVENT_SPECULATION_STARTED: Final = "speculation_started"
EVENT_FILLER_SENT: Final = "filler_sent"
EVENT_FELL_BACK: Final = "fell_back"
EVENT_SPECULATION_DISCARDED: Final = "speculation_discarded"
EVENT_COMMIT: Final = "commit"
EVENT_TURN_REOPENED: Final = "turn_reopened"
EVENT_LLM_FIRST_CONTENT: Final = "llm_first_content"
EVENT_FIRST_CLAUSE: Final = "first_clause"
EVENT_TTS_FIRST_AUDIO: Final = "tts_first_audio"
EVENT_FIRST_FRAME_SENT: Final = "first_frame_sent"
EVENT_FIRST_FRAME_HEARD: Final = "first_frame_heard"
EVENT_MARK_ACKED: Final = "mark_acked"
EVENT_DUCKED: Final = "ducked"
EVENT_PAUSED: Final = "paused"
EVENT_RESUMED: Final = "resumed"
EVENT_BARGE_IN: Final = "barge_in"
EVENT_CLEARED: Final = "cleared"
EVENT_EXCEPTION: Final = "exception"

# Metrics ------------------------------------------------------------------------------------------------------------

METRIC_LOOP_LAG: Final = "parley.event_loop.lag"
"""Histogram, ms: how late the event loop runs a timer."""
METRIC_RESPONSE_LATENCY: Final = "parley.turn.response_latency"
"""Histogram, ms: first frame sent minus the caller's end of speech."""
METRIC_TURN_GLUE: Final = "parley.turn.glue"
"""Histogram, ms: what is left of the response latency without endpointing, STT, model and TTS."""
METRIC_ENDPOINT_DELAY: Final = "parley.turn.endpoint_delay"
"""Histogram, ms: commit minus the caller's end of speech."""
METRIC_BARGE_IN: Final = "parley.barge_in"
"""Histogram, ms: clear sent minus the caller's first speech."""
METRIC_TURNS: Final = "parley.turns"
"""Counter, by VOICE_TURN_OUTCOME."""
METRIC_SPECULATIONS: Final = "parley.speculations"
"""Counter, by VOICE_SPECULATION."""
METRIC_SLOTS_IN_USE: Final = "parley.slots.in_use"
METRIC_SLOTS_CAPACITY: Final = "parley.slots.capacity"
METRIC_CALLS_LIVE: Final = "parley.calls.live"
METRIC_CALLS_REFUSED: Final = "parley.calls.refused"
METRIC_FRAMES_DROPPED: Final = "parley.frames.dropped"
METRIC_FRAMES_LATE: Final = "parley.frames.late"
METRIC_MESSAGES_REJECTED: Final = "parley.messages.rejected"
METRIC_STT_FINAL: Final = "parley.stt.final"
"""Histogram, ms: finalize or finish received until the final is sent."""
METRIC_STT_QUEUE_WAIT: Final = "parley.stt.queue_wait"
"""Histogram, ms: how long a decode waited for the model, by VOICE_STT_URGENCY."""
METRIC_STT_BATCH_SIZE: Final = "parley.stt.batch_size"
"""Histogram: utterances in one inference."""
METRIC_STT_REAL_TIME_FACTOR: Final = "parley.stt.real_time_factor"
"""Histogram: time of one inference divided by the audio that it understood."""
METRIC_TTS_FIRST_AUDIO: Final = "parley.tts.first_audio"
"""Histogram, ms: first text received until the first audio is sent."""
METRIC_TTS_CACHE_LOOKUPS: Final = "parley.tts.cache.lookups"
"""Counter of segments, by VOICE_CACHED: what of the speech was there already."""
METRIC_TTS_CACHE_BYTES: Final = "parley.tts.cache.bytes"
"""Gauge, by VOICE_CACHE_PLACE."""
METRIC_LLM_FIRST_CONTENT: Final = "parley.llm.first_content"
"""Histogram, ms: request sent until the first content that can be spoken."""

MS_BUCKETS: Final = (
    1.0, 2.0, 5.0, 10.0, 20.0, 35.0, 50.0, 75.0, 100.0, 150.0, 200.0, 250.0, 300.0, 400.0, 500.0, 750.0, 1000.0,
    1500.0, 2500.0, 5000.0, 10000.0,
)  # fmt: skip
"""Histogram boundaries for latencies that people feel, ms."""
LAG_BUCKETS: Final = (0.25, 0.5, 1.0, 1.5, 2.0, 3.0, 5.0, 7.5, 10.0, 15.0, 20.0, 30.0, 50.0, 100.0, 250.0, 1000.0)
"""Histogram boundaries for event-loop lag, ms: fine below one frame of audio."""
BATCH_BUCKETS: Final = (1.0, 2.0, 3.0, 4.0, 6.0, 8.0, 12.0, 16.0, 24.0, 32.0, 64.0)
"""Histogram boundaries for how many are served together."""
RATIO_BUCKETS: Final = (0.005, 0.01, 0.02, 0.05, 0.1, 0.15, 0.2, 0.3, 0.4, 0.5, 0.75, 1.0, 1.5, 2.0, 4.0)
"""Histogram boundaries for a time divided by another; below 1 it keeps up with real time."""
