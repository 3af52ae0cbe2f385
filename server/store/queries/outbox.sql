-- name: put
-- A message for a customer of a platform, as a whole.
insert into outbox (id, tenant, conversation_id, message_id, turn_id, channel, account, kind, author, owner_epoch,
    draft_seq, state, created_at, updated_at)
values (:id, :tenant, :conversation_id, :message_id, :turn_id, :channel, :account, :kind, :author, :owner_epoch,
    :draft_seq, 'queued', cast(:now as double precision), cast(:now as double precision));

-- name: in_flight
-- What was marked sending and has no recorded outcome; rows that were given up have a reason.
select o.message_id, p.number, p.state, p.tried_at from outbox o join part p on p.outbox_id = o.id
where o.conversation_id = :conversation_id and o.reason is null and o.state in ('sending', 'uncertain')
    and p.state in ('sending', 'uncertain')
order by o.created_at, o.id, p.number;

-- name: by_provider
-- Whose message a platform's id names.
select o.conversation_id, o.message_id from part p join outbox o on o.id = p.outbox_id
where p.tenant = :tenant and p.channel = :channel and p.account = :account and p.provider_id = :provider_id
order by p.updated_at desc limit 1;

-- name: job
-- A row with what is needed to plan it.
select o.id, o.tenant, o.conversation_id, o.message_id, o.channel, o.account, o.kind, o.draft_seq, o.state, o.created_at,
    m.role, m.text, m.body, c.address, c.route, c.language, s.state as account_state, s.reason as account_reason
from outbox o
join conversation c on c.id = o.conversation_id
left join message m on m.id = o.message_id
left join channel_state s on s.tenant = o.tenant and s.channel = o.channel and s.account = o.account
where o.id = :id;

-- name: row
-- A row as it stands now; its conversation is locked.
select * from outbox where id = :id;

-- name: parts
-- The platform messages of a row, in order.
select * from part where outbox_id = :outbox_id order by number;

-- name: known
-- Platform ids of other parts that went to the same customer lately.
select p.provider_id from part p join outbox o on o.id = p.outbox_id
where o.conversation_id = :conversation_id and p.provider_id is not null and p.id <> :part_id
    and p.updated_at >= cast(:since as double precision)
order by p.updated_at desc limit cast(:limit as integer);

-- name: add_part
-- One platform message, written before it is sent.
insert into part (id, tenant, outbox_id, number, channel, account, payload, state, updated_at)
values (:id, :tenant, :outbox_id, :number, :channel, :account, :payload, 'queued', cast(:now as double precision));

-- name: planned
-- A row was rendered.
update outbox set parts = :parts, updated_at = cast(:now as double precision) where id = :id;

-- name: mark_part
-- A call is about to leave; nothing changes when a status settled the part meanwhile.
update part set state = 'sending', attempts = attempts + 1, repeats = repeats + cast(:repeat as integer),
    tried_at = coalesce(tried_at, cast(:now as double precision)), updated_at = cast(:now as double precision)
where id = :id and state in ('queued', 'sending', 'uncertain');

-- name: unmark_part
-- That call surely had no effect.
update part set state = :state, repeats = repeats - cast(:repeat as integer), code = :code, detail = :detail,
    updated_at = cast(:now as double precision)
where id = :id and state = 'sending';

-- name: doubt_part
-- That call's outcome is unknown.
update part set state = 'uncertain', code = :code, detail = :detail, updated_at = cast(:now as double precision)
where id = :id and state in ('sending', 'uncertain');

-- name: part_sent
-- The platform has it; a status that came first stays.
update part set state = case when state in ('queued', 'sending', 'uncertain') then :state else state end,
    provider_id = :provider_id, code = case when state = 'failed' then code end,
    detail = case when state = 'failed' then detail end,
    sent_at = coalesce(sent_at, cast(:now as double precision)), updated_at = cast(:now as double precision)
where id = :id;

-- name: part_failed
-- The platform refused it, at once or later.
update part set state = 'failed', code = :code, detail = :detail, updated_at = cast(:now as double precision)
where id = :id and state not in ('delivered', 'read', 'failed');

-- name: part_told
-- A status moved a part forward.
update part set state = :state, provider_id = coalesce(provider_id, cast(:provider_id as text)), code = null,
    detail = null, sent_at = coalesce(sent_at, cast(:at as double precision)),
    updated_at = cast(:now as double precision)
where id = :id;

-- name: set_state
-- How far a row is.
update outbox set state = :state, reason = :reason, updated_at = cast(:now as double precision) where id = :id;

-- name: part_by_id
-- A part that a status names by our id.
select p.*, o.conversation_id from part p join outbox o on o.id = p.outbox_id
where p.id = :id and p.tenant = :tenant and p.channel = :channel and p.account = :account;

-- name: part_by_provider
-- A part that a status names by the platform's id.
select p.*, o.conversation_id from part p join outbox o on o.id = p.outbox_id
where p.tenant = :tenant and p.channel = :channel and p.account = :account and p.provider_id = :provider_id
order by p.updated_at desc limit 1;

-- name: template_since
-- Whether a template was tried since the customer last wrote.
select id from outbox where conversation_id = :conversation_id and kind = 'template'
    and created_at >= cast(:since as double precision) limit 1;

-- name: wake_lane
-- What a lane waited for has been settled: look at it now.
update lane set ready_at = 0
where tenant = :tenant and kind = 'out' and key = :conversation_id and holder is null and done < tail and ready_at > 0;

-- name: draft_located
-- A draft whose opening had an unknown outcome was found on the platform.
update draft set shown = 'open', provider_id = :provider_id
where conversation_id = :conversation_id and first_seq = :first_seq and attempt = :attempt and shown = 'opening';

-- name: draft_done
-- What was shown became the answer or is gone.
update draft set shown = 'done'
where conversation_id = :conversation_id and first_seq = :first_seq and attempt = :attempt;

-- name: without_draft
-- The message does not become of what is shown: another row takes that away.
update outbox set draft_seq = null where id = :id;

-- name: draft_unusable
-- What was shown cannot become the answer.
update draft set shown = 'failed'
where conversation_id = :conversation_id and first_seq = :first_seq and attempt = :attempt;

-- name: draft_inherit
-- The next attempt goes on with what the replaced one shows.
update draft set shown = earlier.shown, provider_id = earlier.provider_id, holder = earlier.holder,
    route = earlier.route, tried_at = earlier.tried_at
from draft as earlier
where draft.conversation_id = :conversation_id and draft.first_seq = :first_seq and draft.attempt = :attempt
    and earlier.conversation_id = draft.conversation_id and earlier.first_seq = draft.first_seq
    and earlier.attempt < draft.attempt and earlier.state = 'replaced' and earlier.shown in ('opening', 'open');

-- name: draft_carried
-- The replaced one shows nothing of its own any more.
update draft set shown = 'carried'
where conversation_id = :conversation_id and first_seq = :first_seq and attempt < :attempt
    and state = 'replaced' and shown in ('opening', 'open');

-- name: draft
-- One attempt's draft.
select * from draft where conversation_id = :conversation_id and first_seq = :first_seq and attempt = :attempt;

-- name: draft_ended
-- What is still shown of a turn whose draft ended in this way.
select * from draft where conversation_id = :conversation_id and first_seq = :first_seq and state = :state
    and shown in ('opening', 'open')
order by attempt desc limit 1;

-- name: address_taken
-- Whether somebody else already has an address.
select id from identity where tenant = :tenant and channel = :channel and account = :account
    and address = :address and id <> :identity_id
union all
select id from conversation where tenant = :tenant and channel = :channel and account = :account
    and address = :address and id <> :id
limit 1;

-- name: move_identity
-- A customer's chat has another id.
update identity set address = :address where id = :id;

-- name: pace
-- A token bucket, locked, with the time on its clock.
select level, at, blocked_until, {lease_now} as now_s from pace
where tenant = :tenant and channel = :channel and account = :account and chat = :chat {for_update};

-- name: chat_pace
-- The same, but no row while another conversation of the chat holds it.
select level, at, blocked_until, {lease_now} as now_s from pace
where tenant = :tenant and channel = :channel and account = :account and chat = :chat {skip_locked};

-- name: make_pace
-- A full bucket on first use.
insert into pace (tenant, channel, account, chat, level, at)
values (:tenant, :channel, :account, :chat, cast(:level as double precision), {lease_now})
on conflict do nothing;

-- name: set_pace
-- What a debit left.
update pace set level = cast(:level as double precision), at = cast(:at as double precision),
    blocked_until = cast(:blocked_until as double precision)
where tenant = :tenant and channel = :channel and account = :account and chat = :chat;

-- name: set_access
-- Whether an account's access works; no row comes back when that was known.
insert into channel_state (tenant, channel, account, state, reason, changed_at)
values (:tenant, :channel, :account, :state, :reason, cast(:now as double precision))
on conflict (tenant, channel, account) do update set state = excluded.state, reason = excluded.reason,
    changed_at = excluded.changed_at
where channel_state.state <> excluded.state
returning state;
