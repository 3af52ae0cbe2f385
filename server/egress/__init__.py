"""Guarded HTTP for every address that somebody other than the installer chose: crawled sites, tools, webhooks.

``client`` is what callers hold, ``target`` reads an address and refuses what it may not name, ``addresses`` says which
network addresses are public, ``decoding`` unpacks bodies within limits, ``contract`` has answers and errors.
"""

from server.egress.client import Egress
from server.egress.contract import EgressError, EgressFailed, EgressRefused, Response, TooLarge

__all__ = ["Egress", "EgressError", "EgressFailed", "EgressRefused", "Response", "TooLarge"]
