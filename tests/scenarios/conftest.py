"""Scenarios read the database's own words for their laws."""

from __future__ import annotations

from server.store.statements import load, parse

LAWS = """
-- name: turns
-- Every turn of a conversation in order.
select * from turn where conversation_id = :conversation_id order by first_seq;
-- name: lane
-- How far its lane is.
select tail, done from lane where kind = 'in' and key = :conversation_id;
-- name: drafts
-- Every draft and how it ended.
select first_seq, attempt, state from draft where conversation_id = :conversation_id order by first_seq, attempt;
-- name: feedback
-- Ratings.
select * from feedback where conversation_id = :conversation_id;
-- name: forget
-- Drop early events, as retention does.
delete from event where conversation_id = :conversation_id and seq <= :upto;
"""

for dialect in ("sqlite", "postgresql"):
    load(dialect).update(parse("scenario", LAWS, dialect))
