"""What an answer may say: passages in the prompt, citations the server has checked, and what is said without support.

PURE: no io, no clock, no state besides that of one answer.
"""

from server.grounding.answer import Cited, Grounded, HandOver
from server.grounding.fallback import fallback
from server.grounding.filter import Filter
from server.grounding.prompt import prompt_block

__all__ = ["Cited", "Filter", "Grounded", "HandOver", "fallback", "prompt_block"]
