"""How each metric is made, in one sentence; docs/analytics.md and the console say the same (a test compares)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

DEFINITIONS: Final[Mapping[str, str]] = {
    "conversations": "Conversations that began in the period: a conversation is one case, from its opening until it is "
    "closed or the customer comes back after the idle time.",
    "containment": "Conversations that never waited for or went to a person, of all conversations.",
    "deflection": "Conversations that never went to a person, in which the bot answered at least once, staff wrote "
    "nothing and no answer was last rated bad, of all conversations.",
    "handoff_rate": "Conversations that waited for or went to a person at least once, of all conversations.",
    "first_response_bot": "Median time from the customer's first message to the bot's first answer; notices of the "
    "service are no answers.",
    "first_response_bot_p90": "The time within which nine of ten conversations had the bot's first answer.",
    "first_response_staff": "Median time from the handoff to the first message of staff.",
    "first_response_staff_p90": "The time within which nine of ten handed-over conversations had the first message of "
    "staff.",
    "handle_time": "Mean time that a conversation was claimed, in all its claims together, of conversations with a "
    "claim that ended.",
    "first_contact_resolution": "Answered conversations after which the customer opened no other one in the same "
    "thread within seven days (setting), of those for which that time is over or the customer came back.",
    "csat": "Scores of 4 or 5, of all satisfaction scores given.",
    "csat_average": "Mean of the satisfaction scores given, 1 to 5.",
    "csat_response": "Satisfaction scores given, of all conversations in which the question was asked.",
    "nps": "Share of scores 9 and 10 minus share of scores 0 to 6, times 100, of all recommendation scores given.",
    "sla_met": "Response and resolution targets that were met, of all that were met or missed.",
    "backlog": "Conversations that wait for or are with a person at the end of the period.",
    "thumbs": "Answers last rated good, of all answers last rated good or bad.",
    "tool_success": "Tool calls that worked, of all tool calls that ended within their turn.",
    "tokens": "Tokens of prompts and answers together.",
    "tokens_per_conversation": "Tokens of prompts and answers, per conversation.",
    "cost": "Tokens times the prices in the settings.",
    "cost_per_conversation": "Cost per conversation.",
}
