-- name: tenants
-- Everybody whose rows are kept here.
select id from tenant order by id;

-- name: dedupe
-- Forget platform message ids no platform repeats any more.
delete from dedupe where (tenant, channel, account, external_id) in (
    select tenant, channel, account, external_id from dedupe
    where tenant = :tenant and seen_at < cast(:before as double precision) limit cast(:limit as bigint));

-- name: items
-- Parked items nobody looked after.
delete from item where (lane_id, seq) in (
    select item.lane_id, item.seq from item join lane on lane.id = item.lane_id
    where item.dead is not null and lane.tenant = :tenant and item.seq <= lane.done
        and item.created_at < cast(:before as double precision) limit cast(:limit as bigint));

-- name: events
-- Old events; the last one of each conversation stays, so that its sequence is never empty.
delete from event where (tenant, number) in (
    select event.tenant, event.number from event left join conversation on conversation.id = event.conversation_id
    where event.tenant = :tenant and event.created_at < cast(:before as double precision)
        and (conversation.id is null or event.seq is null or event.seq < conversation.seq)
    limit cast(:limit as bigint));

-- name: steps
-- Tool calls of turns that ended long ago.
delete from step where (conversation_id, first_seq, number) in (
    select step.conversation_id, step.first_seq, step.number from step
    join conversation on conversation.id = step.conversation_id
    where step.tenant = :tenant and step.created_at < cast(:before as double precision)
        and step.first_seq <= conversation.covered
    limit cast(:limit as bigint));

-- name: drafts
-- Drafts that ended long ago.
delete from draft where (conversation_id, first_seq, attempt) in (
    select conversation_id, first_seq, attempt from draft
    where tenant = :tenant and state <> 'open' and opened_at < cast(:before as double precision)
    limit cast(:limit as bigint));

-- name: turns
-- Turns that ended long ago; what they covered stays known in conversation.covered.
delete from turn where id in (
    select id from turn where tenant = :tenant and ended_at < cast(:before as double precision)
    limit cast(:limit as bigint));

-- name: media
-- What came with old messages whose turn ended; the files themselves are swept afterwards.
delete from media where id in (
    select media.id from media join message on message.id = media.message_id
    join conversation on conversation.id = media.conversation_id
    where media.tenant = :tenant and media.created_at < cast(:before as double precision)
        and (message.item_seq is null or message.item_seq <= conversation.covered)
    limit cast(:limit as bigint));

-- name: parts
-- What was sent long ago, in conversations with nothing left to send.
delete from part where id in (
    select part.id from part join outbox on outbox.id = part.outbox_id
    where part.tenant = :tenant and outbox.created_at < cast(:before as double precision)
        and not exists (select 1 from lane where lane.tenant = outbox.tenant and lane.kind = 'out'
            and lane.key = outbox.conversation_id and lane.done < lane.tail)
    limit cast(:limit as bigint));

-- name: outbox
-- The same messages as a whole, once their parts are gone.
delete from outbox where id in (
    select outbox.id from outbox
    where outbox.tenant = :tenant and outbox.created_at < cast(:before as double precision)
        and not exists (select 1 from part where part.outbox_id = outbox.id)
        and not exists (select 1 from lane where lane.tenant = outbox.tenant and lane.kind = 'out'
            and lane.key = outbox.conversation_id and lane.done < lane.tail)
    limit cast(:limit as bigint));

-- name: messages
-- Old messages whose turn ended, without feedback on them and without a reply still to be sent.
delete from message where id in (
    select message.id from message join conversation on conversation.id = message.conversation_id
    where message.tenant = :tenant and message.created_at < cast(:before as double precision)
        and (message.item_seq is null or message.item_seq <= conversation.covered)
        and not exists (select 1 from feedback where feedback.message_id = message.id)
        and not exists (select 1 from media where media.message_id = message.id)
        and not exists (select 1 from lane where lane.tenant = message.tenant
            and lane.kind in ('in', 'out') and lane.key = conversation.id and lane.done < lane.tail)
    limit cast(:limit as bigint));

-- name: misses
-- Questions nobody answered, long ago.
delete from question_miss where id in (
    select id from question_miss where tenant = :tenant and created_at < cast(:before as double precision)
    limit cast(:limit as bigint));

-- name: requests
-- Calls that waited for a yes and were decided long ago.
delete from tool_request where id in (
    select id from tool_request
    where tenant = :tenant and state <> 'waiting' and created_at < cast(:before as double precision)
    limit cast(:limit as bigint));

-- name: webhooks
-- Events told to the shop's own systems long ago, with the customer's words in them.
delete from webhook_delivery where id in (
    select id from webhook_delivery
    where tenant = :tenant and state <> 'queued' and created_at < cast(:before as double precision)
    limit cast(:limit as bigint));

-- name: verifications
-- Who somebody proved to be, long ago.
delete from verification where conversation_id in (
    select conversation_id from verification
    where tenant = :tenant and coalesce(verified_until, expires_at, 0) < cast(:before as double precision)
    limit cast(:limit as bigint));

-- name: dialogues
-- Calls that were never completed.
delete from dialogue where conversation_id in (
    select conversation_id from dialogue
    where tenant = :tenant and updated_at < cast(:before as double precision)
    limit cast(:limit as bigint));

-- name: dataset_rows
-- What was trained on long ago; the adapter knows its dataset by digest.
delete from dataset_row where (dataset_id, example_id) in (
    select r.dataset_id, r.example_id from dataset_row r join example e on e.id = r.example_id
    where e.tenant = :tenant and e.created_at < cast(:before as double precision) limit cast(:limit as bigint));

-- name: approvals
-- Approvals of old examples; they train nothing any more.
delete from approval where example_id in (
    select a.example_id from approval a join example e on e.id = a.example_id
    where e.tenant = :tenant and e.created_at < cast(:before as double precision)
        and not exists (select 1 from dataset_row r where r.example_id = a.example_id)
    limit cast(:limit as bigint));

-- name: reviews
-- What was thought of old examples.
delete from review where (example_id, reviewer) in (
    select r.example_id, r.reviewer from review r join example e on e.id = r.example_id
    where e.tenant = :tenant and e.created_at < cast(:before as double precision)
    limit cast(:limit as bigint));

-- name: examples
-- Old examples, with the words of customers in them.
delete from example where id in (
    select e.id from example e
    where e.tenant = :tenant and e.created_at < cast(:before as double precision)
        and not exists (select 1 from approval a where a.example_id = e.id)
        and not exists (select 1 from review r where r.example_id = e.id)
    limit cast(:limit as bigint));

-- name: prompts
-- Texts of prompts that no turn has used for as long.
delete from prompt_part where (tenant, digest) in (
    select tenant, digest from prompt_part
    where tenant = :tenant and used_at < cast(:before as double precision) limit cast(:limit as bigint));

-- name: surveys
-- What customers wrote about cases long ago; the scores stay, as figures do.
update survey set comment = null where id in (
    select id from survey where tenant = :tenant and comment is not null
        and asked_at < cast(:before as double precision) limit cast(:limit as bigint));
