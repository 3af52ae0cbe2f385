-- name: add_miss
-- A question that nothing answered.
insert into question_miss (id, tenant, conversation_id, turn_id, question, confidence, created_at)
values (:id, :tenant, :conversation_id, :turn_id, :question, cast(:confidence as double precision),
    cast(:now as double precision));

-- name: note_steps_reach
-- The newest message that the turn had read when it proposed a round of calls.
update step set upto_seq = cast(:upto_seq as bigint)
where conversation_id = :conversation_id and first_seq = cast(:first_seq as bigint)
    and round = cast(:round as integer);

-- name: steps_reach
-- The newest message that a turn had read when it proposed its calls; null when it proposed none.
select max(upto_seq) as upto_seq from step
where conversation_id = :conversation_id and first_seq = cast(:first_seq as bigint);

-- name: dialogue
-- The call that is not complete yet.
select tool, slots, asked, tries from dialogue where conversation_id = :conversation_id;

-- name: keep_dialogue
-- What is known of a call, and what was asked last.
insert into dialogue (conversation_id, tenant, tool, slots, asked, tries, updated_at)
values (:conversation_id, :tenant, :tool, :slots, :asked, cast(:tries as integer), cast(:now as double precision))
on conflict (conversation_id) do update set tool = excluded.tool, slots = excluded.slots, asked = excluded.asked,
    tries = excluded.tries, updated_at = excluded.updated_at;

-- name: clear_dialogue
-- No call is due any more.
delete from dialogue where conversation_id = :conversation_id;
