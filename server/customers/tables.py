"""Where data of customers lies: every table of the migrations is erased by a step, or holds nothing, and says why.

A new table must be named here; a test compares this page with the migrations.
"""

from __future__ import annotations

from typing import Final

CONVERSATION: Final = (
    *("message_word", "mention", "note", "feedback", "correction", "media", "part", "outbox", "composer_draft"),
    *("seen", "desk_state", "conversation_label", "scheduled_message", "upload", "step", "draft", "tool_request"),
    *("dialogue", "verification", "lead", "ticket", "tool_rate", "question_miss", "turn", "support_case", "event"),
    *("suggestion_edit", "reason_ask", "staff_act", "staff_thread", "survey"),
    *("fact_answer", "fact_span", "fact_case", "fact_thread"),
    *("gap_question", "sla_clock", "told", "custody", "conversation_team"),
    *("alert", "webhook_delivery", "item", "lane", "pace", "message", "conversation"),
)
"""Erased with each conversation, in this order (what refers to others first): queries ``erasure.drop_<table>``."""

CUSTOMER: Final = (
    *("dataset_row", "approval", "review", "example", "identity", "customer_merge", "customer"),
)  # fmt: skip
"""Erased with the customer, after their conversations, in this order."""

BY_TEXT: Final = {
    "document": "an article or a pair in which staff wrote a customer's address is written anew without it",
    "document_version": "versions with the address are dropped",
    "chunk": "passages of such documents are dropped and made again, and the indexes follow",
    "embedding": "vectors of such passages are dropped",
    "prompt_part": "texts of prompts with the address are dropped; turns know them by digest only",
    "release_card": "a report of the gate with the address is emptied",
    "retrain_run": "progress, advice or an error with the address is emptied; its folder is cleared too",
    "audit": "who did what stays; a detail with the address, such as a document's title, is emptied",
    "release_change": "a reason with the address is emptied",
    "saved_view": "a filter that searches for the address is dropped",
}
"""Not a customer's own, but staff or a model may have copied an address or a name into it: searched for these."""

BLINDED: Final = {
    "dedupe": "the platform's message id becomes a digest, so that its repetition stays unanswered",
    "adapter": "what was learned cannot be unlearned: flagged, and replaced at the next run",
}
"""Kept without anything to read in it."""

EMPTY: Final = {
    "tenant": "the desk itself",
    "secret": "keys of this installation",
    "store_state": "the store's own memory",
    "schedule": "times of jobs",
    "person": "staff",
    "login": "staff",
    "link": "staff",
    "api_key": "staff",
    "bot_switch": "channel accounts",
    "release": "prompts and settings of the shop",
    "release_alias": "releases",
    "release_adapter": "releases",
    "canary": "counts",
    "model_replica": "model servers",
    "channel_cursor": "positions per account",
    "channel_state": "accounts",
    "source": "where documents come from",
    "knowledge_state": "revision and alarms",
    "account_policy": "settings",
    "loop_cursor": "positions",
    "dataset": "counts and digests; its rows go",
    "label": "names of labels",
    "canned_reply": "the shop's own words",
    "search_cursor": "positions",
    "second_factor": "staff",
    "recovery_code": "staff",
    "sign_in": "staff",
    "attempt": "tries to sign in, by digests of addresses and emails, kept about an hour",
    "team": "staff",
    "team_member": "staff",
    "team_place": "staff",
    "presence": "staff",
    "custody_cursor": "positions",
    "gap": "ids and states; the words are those of its questions, which go",
    "door": "counts",
    "staff_link": "staff",
    "vote": "staff, by the key of a prompt",
    "erasure": "ids and counts; its plan is emptied at the end, it is the proof",
    "migration": "the store's own memory",
}
"""Tables without anything of a customer's, each with the reason."""

COVERED: Final = frozenset({*CONVERSATION, *CUSTOMER, *BY_TEXT, *BLINDED, *EMPTY})
