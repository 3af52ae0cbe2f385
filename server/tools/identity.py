"""Who a personal tool is about: always the conversation's own customer, whatever the arguments say."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from server.tools.contract import Caller, ToolRefused

MAX_DEPTH = 12  # of nested values that are searched

CUSTOMER_KEYS = frozenset(
    {
        *("customer", "customerid", "customernumber", "customerno", "customerref", "client", "clientid"),
        *("userid", "accountid", "accountnumber", "contactid", "memberid", "buyerid", "shopperid", "ownerid"),
    }
)
"""Arguments that say who the customer is, by their letters alone."""
CONTACT_KEYS = frozenset(
    {
        *("email", "emailaddress", "mail", "customeremail", "useremail", "contactemail"),
        *("phone", "phonenumber", "mobile", "customerphone", "userphone"),
    }
)
"""Arguments that say how the customer is reached."""


def names_customer(parameters: Mapping[str, Any]) -> bool:
    """Whether a tool's arguments say who the customer is, so that it must be personal."""
    return any(_letters(key) in CUSTOMER_KEYS for key in parameters.get("properties", {}))


def without_identity(parameters: Mapping[str, Any]) -> dict[str, Any]:
    """The schema of a personal tool as the model sees it: who the customer is, is not the model's business."""
    kept = {key: value for key, value in parameters.get("properties", {}).items() if not _is_identity(key)}
    required = [key for key in parameters.get("required", ()) if key in kept]
    rest = {key: value for key, value in parameters.items() if key not in {"properties", "required"}}
    return {**rest, "properties": kept, **({"required": required} if required else {})}


def bind(arguments: Mapping[str, Any], parameters: Mapping[str, Any], caller: Caller) -> dict[str, Any]:
    """Arguments of a personal tool with the caller's own identity in place of any the model wrote.

    Raises ToolRefused when they name another customer, at any depth, or when the tool needs an address and none is on
    file.
    """
    if _foreign(arguments, caller, 0):
        raise ToolRefused("the arguments name another customer; only the customer's own data can be used")
    bound = {key: value for key, value in arguments.items() if not _is_identity(key)}
    required = set(parameters.get("required", ()))
    for key in parameters.get("properties", {}):
        if _is_identity(key):
            value = caller.subject if _letters(key) in CUSTOMER_KEYS else caller.contact
            if not value and key in required:
                raise ToolRefused("no address of this customer is on file; hand over to staff")
            if value:
                bound[key] = value
    return bound


def split_identity(arguments: Mapping[str, Any]) -> tuple[dict[str, Any], dict[str, Any]]:
    """Arguments apart: what the tool is about, and who the model says the customer is."""
    about = {key: value for key, value in arguments.items() if not _is_identity(key)}
    return about, {key: value for key, value in arguments.items() if _is_identity(key)}


def _letters(key: str) -> str:
    return re.sub(r"[^a-z]", "", key.lower())


def _is_identity(key: str) -> bool:
    return _letters(key) in CUSTOMER_KEYS or _letters(key) in CONTACT_KEYS


def _foreign(value: Any, caller: Caller, depth: int) -> bool:
    if depth > MAX_DEPTH:
        return True  # nobody nests that deep by accident
    if isinstance(value, Mapping):
        return any(
            (_is_identity(key) and _another(entry, caller)) or _foreign(entry, caller, depth + 1)
            for key, entry in value.items()
        )
    return isinstance(value, list) and any(_foreign(entry, caller, depth + 1) for entry in value)


def _another(value: Any, caller: Caller) -> bool:
    """Whether a single value is an identity other than the caller's; nothing at all names nobody."""
    if value is None or value == "" or isinstance(value, Mapping):
        return False
    if isinstance(value, list):
        return any(_another(entry, caller) for entry in value)
    own = {part.strip().casefold() for part in (caller.subject, caller.customer_id, caller.contact) if part}
    return str(value).strip().casefold() not in own
