-- name: read
-- A correction with what its answer rested on.
select c.*, m.seq, m.body as message_body, v.language, t.grounding from correction c
join message m on m.id = c.message_id join conversation v on v.id = c.conversation_id
left join turn t on t.id = c.turn_id
where c.tenant = :tenant and c.id = :id;

-- name: lock
-- A correction, held until the commit.
select * from correction where tenant = :tenant and id = :id {for_update};

-- name: decide
-- Where a person sent it.
update correction set route = :route, decided_by = :by, decided_at = cast(:now as double precision),
    document_id = :document_id, document_version = cast(:version as integer), updated_at = cast(:now as double precision)
where tenant = :tenant and id = :id;

-- name: keep_original
-- A suggested reply as it was before somebody changed it.
insert into suggestion_edit (message_id, tenant, conversation_id, original, author, created_at)
values (:message_id, :tenant, :conversation_id, :original, :author, cast(:now as double precision))
on conflict (message_id) do nothing;

-- name: original
-- What the model had drafted in the place of a staff message.
select original from suggestion_edit where tenant = :tenant and message_id = :message_id;

-- name: ask_reason
-- Remember that somebody was asked what was wrong with an answer; no row when it was asked before.
insert into reason_ask (message_id, tenant, conversation_id, asked_at)
values (:message_id, :tenant, :conversation_id, cast(:now as double precision))
on conflict (message_id) do nothing returning message_id;
