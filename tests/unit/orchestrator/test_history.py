"""What the brain is told of the conversation: what was heard, what tools did, and what it cannot know by itself."""

from __future__ import annotations

from orchestrator.brain import ToolCall
from orchestrator.history import Exchange, History
from orchestrator.spoken import SpokenReply
from orchestrator.tools import ToolRound, ToolUse
from servicekit.audio import MULAW_8K


def reply(text: str, *, by_fallback: bool = False) -> SpokenReply:
    spoken = SpokenReply(MULAW_8K)
    spoken.written, spoken.by_fallback = text, by_fallback
    return spoken


def round_of(text: str = "", result: str = "Done.", *, told: bool = False) -> ToolRound:
    return ToolRound(text, [ToolUse(ToolCall("c1", "send_dtmf", {"digits": "1"}), result, told)])


def ended(turn_id: int, caller: str, text: str, *, interrupted: bool = False, by_fallback: bool = False) -> Exchange:
    return Exchange(turn_id, caller, reply=text, interrupted=interrupted, ended=True, by_fallback=by_fallback)


def told(history: History) -> list[tuple[str, str]]:
    return [(message.role, message.content) for message in history.messages()]


def test_words_before_a_tool_stand_before_it_and_those_behind_it_behind() -> None:
    exchange = ended(1, "choose two", "One moment. Done it is.")
    exchange.rounds = [round_of("One moment. ")]
    assert told(History([exchange])) == [
        ("user", "choose two"),
        ("assistant", "One moment."),
        ("tool", "Done."),
        ("assistant", "Done it is."),
    ]


def test_a_tools_result_is_told_though_nothing_of_the_reply_was_heard() -> None:
    exchange = ended(1, "choose two", "", interrupted=True)
    exchange.rounds = [round_of("One moment. ")]
    assert told(History([exchange])) == [
        ("user", "choose two"),
        ("assistant", ""),
        ("tool", "Done."),
        ("assistant", "—"),
    ]


def test_an_apology_in_the_replys_place_stands_behind_what_the_tools_did() -> None:
    exchange = ended(1, "choose two", "I am sorry.")
    exchange.rounds = [round_of("One moment. ")]
    assert told(History([exchange]))[1:] == [("assistant", ""), ("tool", "Done."), ("assistant", "I am sorry.")]


def test_an_order_whose_end_is_not_known_has_an_answer_all_the_same() -> None:
    exchange = ended(1, "front desk", "I put you through.")
    exchange.rounds = [round_of("I put you through.", "")]
    assert told(History([exchange]))[-1] == ("tool", "Not known yet.")


def test_another_candidate_leaves_known_what_the_first_ones_tools_did() -> None:
    history = History()
    exchange = history.asked(1, "choose two")
    done, undone, second = round_of(), round_of(result=""), [round_of("Again. ")]
    exchange.answered(reply(""), [done, undone])
    exchange.answered(reply("Again. "), second)
    exchange.answered(reply("Again. "), second)
    assert exchange.earlier == [done]
    assert exchange.rounds is second


def test_a_checkpoint_keeps_tools_and_who_answered() -> None:
    exchange = ended(1, "choose two", "One moment.", by_fallback=True)
    exchange.rounds, exchange.earlier = [round_of("One moment.")], [round_of(told=True)]
    history = History([exchange, ended(2, "hello", "Hello.")])
    assert History.load(history.dump()) == history
    assert set(history.dump()[1]) == {"turn", "caller", "reply", "interrupted", "ended"}


def test_a_brain_with_a_memory_of_its_own_is_told_what_was_heard() -> None:
    history = History([ended(1, "a story", "Once upon", interrupted=True)])
    assert history.context_line() == "The caller interrupted your last answer and heard only: Once upon"
    assert History([ended(1, "a story", "Once upon a time.")]).context_line() == ""


def test_a_line_of_context_stays_short() -> None:
    history = History([ended(1, "a story", "word " * 1000, interrupted=True)])
    assert len(history.context_line()) < 400


def test_a_brain_with_a_memory_of_its_own_is_told_what_the_fallback_said_meanwhile() -> None:
    history = History(
        [
            ended(1, "hello", "Hello."),
            ended(2, "what time is it", "It is noon.", by_fallback=True),
            ended(3, "and tomorrow", "", interrupted=True, by_fallback=True),
        ]
    )
    assert history.context_line() == (
        'The caller said: "what time is it". You did not answer; the caller was told: "It is noon." '
        'The caller said: "and tomorrow". You did not answer; the caller was told nothing.'
    )
    history.exchanges.append(ended(4, "thank you", "You are welcome."))
    assert history.context_line() == ""


def test_a_brain_with_a_memory_of_its_own_is_told_late_results_only() -> None:
    exchange = ended(1, "front desk", "I put you through.")
    exchange.rounds = [round_of(told=True), round_of("", "It was tried and failed. Tell the caller.")]
    assert History([exchange]).context_line() == "send_dtmf: It was tried and failed. Tell the caller."
