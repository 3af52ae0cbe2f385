-- name: heard
-- Somebody's console is open; nobody is made busy or away by it.
insert into presence (person_id, tenant, status, changed_at, heard_at)
values (:person, :tenant, 'online', cast(:now as double precision), cast(:now as double precision))
on conflict (person_id) do update set heard_at = excluded.heard_at;

-- name: set_presence
-- What somebody says of themselves.
insert into presence (person_id, tenant, status, changed_at, heard_at)
values (:person, :tenant, :status, cast(:now as double precision), cast(:now as double precision))
on conflict (person_id) do update set status = excluded.status, changed_at = excluded.changed_at,
    heard_at = excluded.heard_at;

-- name: presence
-- One person's.
select status, changed_at, heard_at from presence where tenant = :tenant and person_id = :person_id;

-- name: presences
-- Everybody who can be at work, by name, with how many conversations they hold.
select p.id as person, p.name, p.role, s.status, s.changed_at, s.heard_at,
    (select count(*) from conversation c where c.tenant = p.tenant and c.owner = p.id and c.status = 'claimed') as open
from person p left join presence s on s.person_id = p.id
where p.tenant = :tenant and p.disabled_at is null and p.role in ('staff', 'admin') order by p.name, p.id;

-- name: colleague
-- Somebody a conversation can be given to.
select id, name, role from person
where tenant = :tenant and id = :person and disabled_at is null and role in ('staff', 'admin');

-- name: team
-- A team a conversation can be given to.
select id, name from team where tenant = :tenant and id = :team;

-- name: set_team
-- Whose team a conversation is for.
insert into conversation_team (conversation_id, tenant, team_id, assigned_by, assigned_at)
values (:id, :tenant, :team, :person, cast(:now as double precision))
on conflict (conversation_id) do update set team_id = excluded.team_id, assigned_by = excluded.assigned_by,
    assigned_at = excluded.assigned_at;

-- name: clear_team
-- Anybody's again.
delete from conversation_team where tenant = :tenant and conversation_id = :id;

-- name: team_of
-- Whose team a conversation is for.
select t.id, t.name from conversation_team c join team t on t.id = c.team_id
where c.tenant = :tenant and c.conversation_id = :id;

-- name: cursor
-- How far events were followed, locked.
select number from custody_cursor where tenant = :tenant {for_update};

-- name: cursor_now
-- The same without a lock.
select number from custody_cursor where tenant = :tenant;

-- name: start
-- Begin where the table was made: older events are of no interest, younger ones count also before the first look.
insert into custody_cursor (tenant, number)
select :tenant, coalesce((
    select max(e.number) from event e
    where e.tenant = :tenant and e.created_at < (select applied_at from migration where version = 8)
), 0) where true
on conflict (tenant) do nothing;

-- name: move
-- Everything up to here was followed.
update custody_cursor set number = cast(:number as bigint) where tenant = :tenant;

-- name: events
-- What may change a custody, oldest first; the last number looked at is told by the bound.
select e.number, e.kind, e.conversation_id, e.seq, e.body, e.created_at from event e
where e.tenant = :tenant and e.number > cast(:after as bigint) and e.number <= cast(:upto as bigint)
    and e.conversation_id is not null and e.kind in ('state', 'message', 'case_opened', 'priority')
order by e.number;

-- name: custody
-- Who holds a conversation, as far as was followed.
select * from custody where conversation_id = :id;

-- name: standing
-- What is known of a conversation that was never followed.
select c.id, c.created_at, c.case_id, coalesce(d.priority, 1) as priority
from conversation c left join desk_state d on d.conversation_id = c.id
where c.id = :id and c.tenant = :tenant;

-- name: state_before
-- Who held it before an event.
select body, created_at from event
where tenant = :tenant and conversation_id = :id and kind = 'state' and seq < cast(:seq as bigint)
order by seq desc limit 1;

-- name: keep
-- What was followed.
insert into custody (conversation_id, tenant, status, since_at, case_id, priority, customer_at, staff_at, email,
    email_at)
values (:id, :tenant, :status, cast(:since_at as double precision), :case_id, cast(:priority as integer),
    cast(:customer_at as double precision), cast(:staff_at as double precision), :email,
    cast(:email_at as double precision))
on conflict (conversation_id) do update set status = excluded.status, since_at = excluded.since_at,
    case_id = excluded.case_id, priority = excluded.priority, customer_at = excluded.customer_at,
    staff_at = excluded.staff_at, email = excluded.email, email_at = excluded.email_at;

-- name: start_clock
-- A promise begins; one that runs on this side goes on.
insert into sla_clock (id, tenant, conversation_id, case_id, side, kind, priority, started_at, due_at)
values (:id, :tenant, :conversation_id, :case_id, :side, :kind, cast(:priority as integer),
    cast(:started_at as double precision), cast(:due_at as double precision))
on conflict do nothing;

-- name: open_clocks
-- The promises that run in a conversation.
select id, case_id, side, kind, priority, started_at, due_at, missed_at from sla_clock
where conversation_id = :conversation_id and ended_at is null order by side;

-- name: end_clock
-- A promise ends.
update sla_clock set ended_at = cast(:at as double precision), outcome = :outcome where id = :id and ended_at is null;

-- name: retarget
-- Another priority, another moment.
update sla_clock set priority = cast(:priority as integer), due_at = cast(:due_at as double precision)
where id = :id and ended_at is null;

-- name: overdue
-- Promises whose moment came, and of which nobody was told.
select id, conversation_id, case_id, kind, priority, started_at, due_at from sla_clock
where tenant = :tenant and ended_at is null and missed_at is null and due_at <= cast(:now as double precision)
order by due_at limit 200;

-- name: missed
-- It was told.
update sla_clock set missed_at = cast(:now as double precision) where id = :id and missed_at is null and ended_at is null;

-- name: clocks
-- The promises of a conversation, the newest first.
select id, kind, priority, started_at, due_at, missed_at, ended_at, outcome from sla_clock
where tenant = :tenant and conversation_id = :id order by started_at desc, id desc limit 20;

-- name: untold
-- Changes of hands that the customer may have to hear of.
select c.conversation_id, c.status, c.since_at, c.email_at from custody c
left join told t on t.conversation_id = c.conversation_id
where c.tenant = :tenant and (
    (c.status = 'waiting' and (t.wait_at is null or t.wait_at <> c.since_at))
    or (c.status = 'claimed' and (t.claim_at is null or t.claim_at <> c.since_at))
    or (c.email_at is not null and (t.email_at is null or t.email_at <> c.email_at)))
order by c.since_at limit 200;

-- name: told
-- What a customer was told so far.
select wait_at, shut_at, claim_at, email_at from told where conversation_id = :id;

-- name: tell
-- Remember what was told.
insert into told (conversation_id, tenant, wait_at, shut_at, claim_at, email_at)
values (:id, :tenant, cast(:wait_at as double precision), cast(:shut_at as double precision),
    cast(:claim_at as double precision), cast(:email_at as double precision))
on conflict (conversation_id) do update set wait_at = excluded.wait_at, shut_at = excluded.shut_at,
    claim_at = excluded.claim_at, email_at = excluded.email_at;

-- name: spoken_since
-- Who of the service or staff spoke of the handoff since a moment; an answer to a question does not.
select m.role from message m left join turn t on t.id = m.turn_id
where m.conversation_id = :id and m.role in ('assistant', 'notice', 'staff')
    and m.created_at >= cast(:since as double precision) and coalesce(t.outcome, '') <> 'answered'
order by m.seq desc limit 1;

-- name: silent
-- Claimed conversations whose customer wrote last, a while ago.
select k.conversation_id, k.customer_at, k.since_at, c.owner, c.owner_epoch from custody k
join conversation c on c.id = k.conversation_id
where k.tenant = :tenant and k.status = 'claimed' and c.status = 'claimed'
    and k.customer_at is not null and k.customer_at <= cast(:before as double precision)
    and k.since_at <= cast(:before as double precision)
    and (k.staff_at is null or k.staff_at < k.customer_at)
order by k.customer_at limit 200;

-- name: owner_name
-- How somebody is called.
select name from person where tenant = :tenant and id = :person;
