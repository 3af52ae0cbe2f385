-- name: seen_first
-- Remember a platform's message id; no row comes back when it was known, also of somebody who was erased since.
insert into dedupe (tenant, channel, account, external_id, conversation_id, message_id, seen_at)
select cast(:tenant as text), cast(:channel as text), cast(:account as text), cast(:external_id as text),
    cast(:conversation_id as text), cast(:message_id as text), cast(:now as double precision)
where not exists (select 1 from dedupe d where d.tenant = :tenant and d.channel = :channel and d.account = :account
    and d.external_id = cast(:blind as text))
on conflict do nothing returning message_id;

-- name: seen_before
-- What a known platform message id became; the message itself may be purged.
select d.message_id, d.conversation_id, coalesce(m.seq, 0) as seq
from dedupe d left join message m on m.id = d.message_id
where d.tenant = :tenant and d.channel = :channel and d.account = :account
    and d.external_id in (cast(:external_id as text), cast(:blind as text));

-- name: lock
-- A conversation's row, held until the commit.
select * from conversation where id = :id {for_update};

-- name: lock_address
-- The same, found by the customer's address.
select * from conversation
where tenant = :tenant and channel = :channel and account = :account and address = :address {for_update};

-- name: read
-- A conversation's row without a lock.
select * from conversation where id = :id;

-- name: create_customer
-- A person who writes to us.
insert into customer (id, tenant, name, created_at) values (:id, :tenant, :name, cast(:now as double precision));

-- name: drop_customer
-- Undo create_customer when another process met the same customer first.
delete from customer where id = :id;

-- name: create_identity
-- One address of a customer on a channel account.
insert into identity (id, tenant, channel, account, address, customer_id, verified, profile, created_at)
values (:id, :tenant, :channel, :account, :address, :customer_id, :verified, :profile, cast(:now as double precision))
on conflict do nothing returning id;

-- name: identity_by_address
-- The identity behind an address, and its conversation where it has one.
select i.*, c.id as conversation_id from identity i
left join conversation c on c.tenant = i.tenant and c.channel = i.channel
    and c.account = i.account and c.address = i.address
where i.tenant = :tenant and i.channel = :channel and i.account = :account and i.address = :address;

-- name: create
-- A new conversation of an identity.
insert into conversation (id, tenant, channel, account, address, identity_id, customer_id, status, language,
    created_at, updated_at, said_at, banned_at)
values (:id, :tenant, :channel, :account, :address, :identity_id, :customer_id, 'bot', :language,
    cast(:now as double precision), cast(:now as double precision), cast(:now as double precision),
    (select k.banned_at from customer k where k.id = :customer_id))
on conflict do nothing returning id;

-- name: save
-- Everything a unit may have changed in a locked conversation.
update conversation set status = :status, reason = :reason, waiting_since = :waiting_since, owner = :owner,
    owner_epoch = :owner_epoch, seq = :seq, covered = :covered, stop_seq = :stop_seq, notice_seq = :notice_seq,
    notice_at = :notice_at, busy_seq = :busy_seq, case_id = :case_id, said_at = :said_at,
    signed_out_at = :signed_out_at, address = :address, route = :route, edits = :edits,
    opted_out_at = :opted_out_at, blocked_at = :blocked_at, updated_at = :updated_at
where id = :id;

-- name: open_case
-- An episode begins.
insert into support_case (id, tenant, conversation_id, opened_at)
values (:id, :tenant, :conversation_id, cast(:now as double precision));

-- name: close_case
-- An episode ends.
update support_case set closed_at = cast(:now as double precision), closed_by = :closed_by
where id = :id and closed_at is null;

-- name: pin_case
-- Tie a case to the release of its first turn.
update support_case set release_id = :release_id where id = :id and release_id is null;

-- name: case_handed
-- An episode goes to a person for the first time.
update support_case set handed_at = cast(:now as double precision), handed_reason = :reason
where id = :id and handed_at is null;

-- name: add_message
-- A message, with the event sequence that announces it; on what ground it may train is its account's policy now, and
-- an account without a policy trains nothing.
insert into message (id, tenant, conversation_id, case_id, seq, item_seq, channel, account, role, author, text, body,
    turn_id, release_id, created_at, trainable)
values (:id, :tenant, :conversation_id, :case_id, :seq, :item_seq, :channel, :account, :role, :author, :text, :body,
    :turn_id, :release_id, cast(:now as double precision),
    coalesce((select p.trainable from account_policy p
        where p.tenant = :tenant and p.channel = :channel and p.account = :account), 'no'));

-- name: messages_before
-- The latest messages up to a sequence, newest first.
select m.*, f.value as rating from message m
left join feedback f on f.message_id = m.id and f.kind = 'rating' and f.giver_kind = 'customer' and f.value is not null
where m.conversation_id = :conversation_id and m.seq <= :seq order by m.seq desc limit :limit;

-- name: messages_of_items
-- The customer's messages of a range of the in lane, in order, with how often unanswered ones had been changed then.
select m.*, c.edits from message m join conversation c on c.id = m.conversation_id
where m.conversation_id = :conversation_id and m.item_seq >= :first_seq and m.item_seq <= :last_seq order by m.item_seq;

-- name: context
-- A conversation with the release its case is pinned to, and what became of that release.
select c.*, s.release_id, k.state as release_state from conversation c
left join support_case s on s.id = c.case_id
left join release_card k on k.tenant = c.tenant and k.release_id = s.release_id where c.id = :id;

-- name: history
-- What people and bot said before a turn, newest first; notices of the service are not part of the talk.
select role, text from message
where conversation_id = :conversation_id and role <> 'notice' and (item_seq is null or item_seq < :first_seq)
order by seq desc limit :limit;

-- name: message
-- One message of a conversation.
select * from message where id = :id and conversation_id = :conversation_id;

-- name: events_after
-- What a customer's reader has not seen yet, oldest first.
select seq, kind, body from event
where conversation_id = :conversation_id and seq > :after and audience = 'customer' order by seq limit :limit;

-- name: oldest_event
-- Where this conversation's retained events begin.
select min(seq) as seq from event where conversation_id = :conversation_id;

-- name: open_draft
-- An attempt starts to show text.
insert into draft (conversation_id, first_seq, attempt, tenant, state, opened_at)
values (:conversation_id, :first_seq, :attempt, :tenant, 'open', cast(:now as double precision));

-- name: last_attempt
-- How often a turn was attempted.
select coalesce(max(attempt), 0) as attempt from draft where conversation_id = :conversation_id and first_seq = :first_seq;

-- name: open_drafts
-- Drafts of a conversation that have not ended.
select first_seq, attempt from draft where conversation_id = :conversation_id and state = 'open' order by first_seq, attempt;

-- name: end_draft
-- A draft ends, once.
update draft set state = :state, ended_at = cast(:now as double precision)
where conversation_id = :conversation_id and first_seq = :first_seq and attempt = :attempt and state = 'open';

-- name: add_turn
-- A turn with its only outcome.
insert into turn (id, tenant, conversation_id, case_id, first_seq, last_seq, attempt, outcome, reason, release_id,
    message_id, prompt_tokens, completion_tokens, timings, grounding, ended_at)
values (:id, :tenant, :conversation_id, :case_id, :first_seq, :last_seq, :attempt, :outcome, :reason, :release_id,
    :message_id, :prompt_tokens, :completion_tokens, :timings, :grounding, cast(:now as double precision));

-- name: waiting_before
-- How many wait longer for a person.
select count(*) as n from conversation
where tenant = :tenant and status = 'waiting' and waiting_since < cast(:since as double precision);

-- name: rate
-- A rating given, changed or withdrawn by the same person.
insert into feedback (id, tenant, conversation_id, message_id, turn_id, release_id, giver_kind, giver_id, kind, value,
    reason, comment, created_at, updated_at)
values (:id, :tenant, :conversation_id, :message_id, :turn_id, :release_id, :giver_kind, :giver_id, 'rating', :value,
    :reason, :comment, cast(:now as double precision), cast(:now as double precision))
on conflict (message_id, giver_kind, giver_id, kind) do update set value = excluded.value, reason = excluded.reason,
    comment = excluded.comment, updated_at = excluded.updated_at;

-- name: overdue
-- Conversations whose oldest open message nobody has started on, and which were not told so yet.
select c.id, c.channel, c.account, c.language, l.done + 1 as first_seq from lane l
join conversation c on c.id = l.key
join item i on i.lane_id = l.id and i.seq = l.done + 1
where l.tenant = :tenant and l.kind = 'in' and l.done < l.tail and l.holder is null
    and i.created_at < cast(:before as double precision) and c.status in ('bot', 'waiting')
    and c.busy_seq <= l.done and c.notice_seq <= l.done and c.stop_seq < l.tail
order by i.created_at limit :limit;

-- name: in_tail
-- The sequence of the newest message put into a conversation's in lane, and how far turns ended.
select tail, done, holder, lease_epoch from lane
where tenant = :tenant and kind = 'in' and key = :conversation_id;

-- name: make_secret
-- A key this installation makes for itself; an existing one stays.
insert into secret (name, value, created_at) values (:name, :value, cast(:now as double precision))
on conflict do nothing;

-- name: secret
-- A key this installation made for itself.
select value from secret where name = :name;
