"""Writing a request as OpenAI's chat API wants it."""

from __future__ import annotations

import json
from typing import Any

from orchestrator.brain.contract import BrainRequest, Message, ToolCall, ToolSpec
from orchestrator.brain.history import fit_history, fold_opening, newest_turn, tools_tokens
from orchestrator.brain.settings import BrainSettings
from servicekit.logs import get_logger

log = get_logger(__name__)


def completion_arguments(request: BrainRequest, settings: BrainSettings, headers: dict[str, str]) -> dict[str, Any]:
    """The arguments of the client library's `chat.completions.create`; `headers` are sent along."""
    arguments: dict[str, Any] = {
        "model": settings.model,
        "messages": [_message(message) for message in messages_to_send(request, settings)],
        "stream": True,
        settings.reply_limit_field: settings.max_reply_tokens,
    }
    if settings.temperature is not None:
        arguments["temperature"] = settings.temperature
    if request.tools:
        arguments["tools"] = [_tool(tool) for tool in request.tools]
    add_session(arguments, headers, settings, request.call_id)
    return arguments


def add_session(arguments: dict[str, Any], headers: dict[str, str], settings: BrainSettings, session: str) -> None:
    """Name the session to a stateful brain, in its header or as `user`; takes the other headers along."""
    if settings.stateful and settings.session_header:
        headers = {**headers, settings.session_header: session}
    elif settings.stateful:
        arguments["user"] = session
    if headers:
        arguments["extra_headers"] = headers


def messages_to_send(request: BrainRequest, settings: BrainSettings) -> tuple[Message, ...]:
    """The conversation, or its newest turn for a brain that remembers the rest, as far as the model can read it."""
    messages = request.messages
    if settings.system_prompt and not any(message.role == "system" for message in messages):
        messages = (Message("system", settings.system_prompt), *messages)
    if settings.stateful:
        messages = newest_turn(messages, request.context_line)
    messages = fold_opening(messages)
    room = settings.max_context_tokens - settings.max_reply_tokens - tools_tokens(request.tools)
    fitted = fit_history(messages, room)
    if len(fitted) < len(messages):
        log.info("oldest turns left out of the model's context", messages=len(messages) - len(fitted))
    return fitted


def _message(message: Message) -> dict[str, object]:
    out: dict[str, object] = {"role": message.role, "content": message.content}
    if message.name:
        out["name"] = message.name
    if message.tool_call_id:
        out["tool_call_id"] = message.tool_call_id
    if message.tool_calls:
        out["tool_calls"] = [_call(call) for call in message.tool_calls]
    return out


def _call(call: ToolCall) -> dict[str, object]:
    function = {"name": call.name, "arguments": json.dumps(call.arguments)}
    return {"id": call.id, "type": "function", "function": function}


def _tool(tool: ToolSpec) -> dict[str, object]:
    function = {"name": tool.name, "description": tool.description, "parameters": dict(tool.parameters)}
    return {"type": "function", "function": function}
