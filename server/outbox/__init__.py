"""The outbox: what is said to customers of messaging platforms, sent once and in order.

``rows`` puts a message into the ``out`` lane of its conversation in the same commit as what it says; ``sender`` leases
those lanes; ``delivery`` takes the first row of one through plan, mark, send and record; ``records`` holds these
commits; ``ending`` is how a row ends; ``statuses`` takes in what platforms tell later; ``drafts`` is what was shown
before; ``pace`` keeps to the platforms' limits.
"""
