"""Whether the calls of a conversation have their outputs, as one number that each append changes by addition."""

from collections.abc import Iterable
from hashlib import blake2b

from conversations.schema.items import ITEM_TYPES

# The type of the call by the type of its output.
CALL_TYPES = {item_type.output_type: name for name, item_type in ITEM_TYPES.items() if item_type.output_type}
_CALLS = set(CALL_TYPES.values())


def call_balance(ends: Iterable[tuple[str, str]]) -> int:
    """Return the sum of a hash for each call minus one for each output, given pairs of item type and call id.

    It is 0 if each call has one output. If it is not, a call or an output lacks its counterpart, or has several. An
    unanswered call goes unnoticed only if hashes of 40 bits add up to 0 by chance.
    """
    balance = 0
    for item_type, call_id in ends:
        if item_type in _CALLS:
            balance += _hash(item_type, call_id)
        elif call_id and item_type in CALL_TYPES:
            balance -= _hash(CALL_TYPES[item_type], call_id)
    return balance


def _hash(item_type: str, call_id: str) -> int:
    # The sum of eight million such numbers fits in a column of 64 bits.
    return int.from_bytes(blake2b(f"{item_type} {call_id}".encode(), digest_size=5).digest()) + 1
