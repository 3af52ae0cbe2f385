-- name: add
-- A customer is to be erased; no row comes back when that is under way.
insert into erasure (id, tenant, customer_id, state, step, cause, asked_by, plan, report, created_at, updated_at)
values (:id, :tenant, :customer, 'queued', :step, :cause, :by, '{}', '{}', cast(:now as double precision),
    cast(:now as double precision))
on conflict do nothing returning id;

-- name: open_of
-- The erasure of a customer that is under way.
select id from erasure where tenant = :tenant and customer_id = :customer and state in ('queued', 'running');

-- name: open
-- Everything that waits or works, the oldest first; failed ones are tried again when somebody asks.
select id from erasure where tenant = :tenant and state in ('queued', 'running') order by created_at;

-- name: read
-- One erasure.
select * from erasure where tenant = :tenant and id = :id;

-- name: page
-- Erasures before a position, the newest first.
select * from erasure where tenant = :tenant and (created_at < cast(:at as double precision)
    or (created_at = cast(:at as double precision) and id < :id))
order by created_at desc, id desc limit cast(:count as integer);

-- name: take
-- Somebody goes on with it; whoever had it before is fenced.
update erasure set state = 'running', epoch = epoch + 1, error = null, updated_at = cast(:now as double precision)
where tenant = :tenant and id = :id and state in ('queued', 'running', 'failed') returning *;

-- name: step
-- A step is done; no row = somebody else goes on with it.
update erasure set step = :step, plan = :plan, report = :report, updated_at = cast(:now as double precision)
where tenant = :tenant and id = :id and epoch = cast(:epoch as bigint) and state = 'running';

-- name: end
-- All of it is gone, or it could not be.
update erasure set state = :state, plan = :plan, report = :report, error = :error,
    updated_at = cast(:now as double precision), ended_at = cast(:now as double precision)
where tenant = :tenant and id = :id and epoch = cast(:epoch as bigint) and state = 'running';

-- name: conversations
-- The conversations of a customer.
select id from conversation where tenant = :tenant and customer_id = :customer order by id;

-- name: conversation
-- A conversation, held until the commit.
select id, identity_id from conversation where tenant = :tenant and id = :id {for_update};

-- name: drop_identity
-- An address without a conversation: whoever writes from it is somebody new.
delete from identity where tenant = :tenant and id = :id
    and not exists (select 1 from conversation c where c.identity_id = :id);

-- name: files
-- Stored files of a conversation: what came with messages, and what staff sent.
select id from media where tenant = :tenant and conversation_id = :id
union all select id from upload where tenant = :tenant and conversation_id = :id;

-- name: contacts
-- What a conversation was told of how to reach somebody.
select name, contact from lead where tenant = :tenant and conversation_id = :id
union all select '' as name, email as contact from custody
where tenant = :tenant and conversation_id = :id and email is not null;

-- name: deliveries
-- Platform message ids that became messages of a conversation.
select channel, account, external_id from dedupe where tenant = :tenant and conversation_id = :id
order by channel, account, external_id limit cast(:count as integer);

-- name: blind
-- The id stays known, so that its repetition stays unanswered, but nobody can read it any more.
update dedupe set external_id = :blind, conversation_id = '', message_id = ''
where tenant = :tenant and channel = :channel and account = :account and external_id = :external_id
    and not exists (select 1 from dedupe d where d.tenant = :tenant and d.channel = :channel and d.account = :account
        and d.external_id = :blind);

-- name: unseen
-- One that is known blind already.
delete from dedupe
where tenant = :tenant and channel = :channel and account = :account and external_id = :external_id;

-- name: known_blind
-- Whether an id belonged to somebody who was erased.
select seen_at from dedupe
where tenant = :tenant and channel = :channel and account = :account and external_id = :blind;

-- name: left_deliveries
-- Whether any id still names a conversation.
select count(*) as n from dedupe where tenant = :tenant and conversation_id = :id;

-- name: documents_with
-- Documents that hold a text now, or held it in a version that is kept.
select d.id, d.uri, d.title, d.text, d.deleted_at, s.kind, s.name as source, s.deleted_at as source_gone
from document d join source s on s.id = d.source_id
where d.tenant = :tenant and (lower(d.text) like cast(:pattern as text) escape '\'
    or lower(d.title) like cast(:pattern as text) escape '\'
    or exists (select 1 from document_version v where v.document_id = d.id
        and (lower(v.text) like cast(:pattern as text) escape '\'
            or lower(v.title) like cast(:pattern as text) escape '\')))
order by d.id;

-- name: drop_embeddings
-- Vectors of passages that hold a text.
delete from embedding where tenant = :tenant and digest in (
    select k.digest from chunk k where k.tenant = :tenant and (lower(k.text) like cast(:pattern as text) escape '\'
        or lower(k.heading) like cast(:pattern as text) escape '\'));

-- name: drop_chunks
-- Passages of a document.
delete from chunk where tenant = :tenant and document_id = :id;

-- name: drop_versions
-- What a document said before, where that holds a text.
delete from document_version where tenant = :tenant and document_id = :id
    and (lower(text) like cast(:pattern as text) escape '\' or lower(title) like cast(:pattern as text) escape '\');

-- name: blank_document
-- A document that was taken out keeps no words.
update document set text = '', title = '-', digest = '', updated_at = cast(:now as double precision)
where tenant = :tenant and id = :id and deleted_at is not null;

-- name: drop_prompts
-- Texts of prompts that hold a text.
delete from prompt_part where tenant = :tenant and lower(body) like cast(:pattern as text) escape '\';

-- name: forget_reports
-- Texts in what was said about runs and releases.
update release_card set report = '{}' where tenant = :tenant and lower(report) like cast(:pattern as text) escape '\';

-- name: forget_runs
-- The same of runs.
update retrain_run set progress = '{}', advice = null, error = null
where tenant = :tenant and (lower(progress) like cast(:pattern as text) escape '\'
    or lower(advice) like cast(:pattern as text) escape '\' or lower(error) like cast(:pattern as text) escape '\');

-- name: forget_notes
-- What somebody wrote to a run.
update retrain_run set note = '' where tenant = :tenant and lower(note) like cast(:pattern as text) escape '\';

-- name: forget_audit
-- The audit keeps who did what; a title or a label with the text goes.
update audit set detail = '{"removed": true}'
where tenant = :tenant and lower(detail) like cast(:pattern as text) escape '\';

-- name: forget_changes
-- The same in the timeline of releases.
update release_change set reason = null, detail = '{}' where tenant = :tenant
    and (lower(reason) like cast(:pattern as text) escape '\' or lower(detail) like cast(:pattern as text) escape '\');

-- name: forget_views
-- Saved filters that search for a text.
delete from saved_view where tenant = :tenant and (lower(query) like cast(:pattern as text) escape '\'
    or lower(name) like cast(:pattern as text) escape '\');

-- name: folders
-- Folders of runs.
select folder from retrain_run where tenant = :tenant;
