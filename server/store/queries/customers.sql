-- name: page
-- Customers within a scope before a position, who wrote last first; `pattern` is part of a name, an address or a
-- profile, null = all.
select k.id, k.name, k.created_at, k.banned_at, t.said_at, t.conversations, t.open_ones from customer k
join (select c.customer_id, max(c.said_at) as said_at, count(*) as conversations,
        sum(case when c.status <> 'closed' then 1 else 0 end) as open_ones
    from conversation c where c.tenant = :tenant and {within c}
    group by c.customer_id) t on t.customer_id = k.id
where k.tenant = :tenant and k.erased_at is null and k.merged_into is null
    and (t.said_at < cast(:at as double precision)
        or (t.said_at = cast(:at as double precision) and k.id < :id))
    and (cast(:pattern as text) is null or lower(k.name) like cast(:pattern as text) escape '\'
        or exists (select 1 from identity i where i.customer_id = k.id
            and (cast(:scope as text) = '' or exists (select 1 from conversation c
                where c.customer_id = k.id and c.identity_id = i.id and {within c}))
            and (lower(i.address) like cast(:pattern as text) escape '\'
                or lower(i.profile) like cast(:pattern as text) escape '\')))
order by t.said_at desc, k.id desc limit cast(:count as integer);

-- name: channels (sqlite)
-- Where some customers write, within a scope; ids is a JSON list.
select distinct customer_id, channel from identity i where customer_id in (select value from json_each(:ids))
    and (cast(:scope as text) = '' or exists (select 1 from conversation c
        where c.customer_id = i.customer_id and c.identity_id = i.id and {within c}))
order by channel;

-- name: channels (postgresql)
-- Where some customers write, within a scope; ids is a JSON list.
select distinct customer_id, channel from identity i
where customer_id in (select jsonb_array_elements_text(cast(:ids as jsonb)))
    and (cast(:scope as text) = '' or exists (select 1 from conversation c
        where c.customer_id = i.customer_id and c.identity_id = i.id and {within c}))
order by channel;

-- name: read
-- One customer; whoever was merged into another one, or is being erased, is found too.
select * from customer where tenant = :tenant and id = :id;

-- name: lock
-- The same, held until the commit.
select * from customer where tenant = :tenant and id = :id {for_update};

-- name: of_conversation
-- Whose conversation it is.
select customer_id from conversation where tenant = :tenant and id = :id;

-- name: identities
-- A customer's addresses.
select * from identity where tenant = :tenant and customer_id = :id order by created_at, id;

-- name: subjects
-- Who a customer's conversations proved to be in the shop.
select distinct v.subject from verification v join conversation c on c.id = v.conversation_id
where c.tenant = :tenant and c.customer_id = :id and v.verified_at is not null and v.subject <> '';

-- name: conversations
-- A customer's conversations within a scope, the latest first, with what was said last.
select c.id, c.identity_id, c.channel, c.account, c.status, c.created_at, c.updated_at, c.said_at,
    (select m.text from message m where m.conversation_id = c.id and m.role <> 'notice' order by m.seq desc limit 1)
        as last_text,
    (select count(*) from message m where m.conversation_id = c.id) as messages
from conversation c where c.tenant = :tenant and c.customer_id = :id
    and {within c}
order by c.said_at desc, c.id desc limit cast(:count as integer);

-- name: cases
-- The episodes of a customer's conversations within a scope, the latest first.
select s.id, s.conversation_id, s.opened_at, s.closed_at, s.closed_by, s.csat, s.handed_at, s.handed_reason, c.channel
from support_case s join conversation c on c.id = s.conversation_id
where c.tenant = :tenant and c.customer_id = :id and {within c}
order by s.opened_at desc, s.id desc limit cast(:count as integer);

-- name: tickets
-- What is open or was done for a customer, within a scope.
select t.id, t.conversation_id, t.category, t.priority, t.summary, t.state, t.created_at
from ticket t join conversation c on c.id = t.conversation_id
where c.tenant = :tenant and c.customer_id = :id and {within c}
order by t.created_at desc limit cast(:count as integer);

-- name: leads
-- Contacts a customer left, within a scope.
select l.id, l.conversation_id, l.name, l.contact from lead l join conversation c on c.id = l.conversation_id
where c.tenant = :tenant and c.customer_id = :id and {within c}
order by l.created_at desc limit cast(:count as integer);

-- name: alike
-- Other customers with this text in a profile or as an address: perhaps the same person.
select distinct k.id, k.name from customer k join identity i on i.customer_id = k.id
where k.tenant = :tenant and k.id <> :id and k.erased_at is null and k.merged_into is null
    and (lower(i.address) = cast(:value as text) or lower(i.profile) like cast(:pattern as text) escape '\')
order by k.id limit 5;

-- name: same_subject
-- Other customers who proved to be the same customer of the shop.
select distinct k.id, k.name from customer k join conversation c on c.customer_id = k.id
left join verification v on v.conversation_id = c.id and v.verified_at is not null
left join identity i on i.id = c.identity_id and i.verified = 1 and i.channel = 'web'
where k.tenant = :tenant and k.id <> :id and k.erased_at is null and k.merged_into is null
    and (v.subject = cast(:subject as text) or i.address = 'user:' || cast(:subject as text))
order by k.id limit 5;

-- name: describe
-- What staff call a customer and note about them.
update customer set name = :name, attributes = :attributes where tenant = :tenant and id = :id;

-- name: move_identity
-- An address belongs to somebody else now, and so do its conversations.
update identity set customer_id = :to where tenant = :tenant and id = :id;

-- name: move_conversations
-- The conversations of an address.
update conversation set customer_id = :to where tenant = :tenant and identity_id = :id;

-- name: move_examples
-- Examples of the conversations of an address.
update example set customer_id = :to where tenant = :tenant and conversation_id in (
    select c.id from conversation c where c.tenant = :tenant and c.identity_id = :id);

-- name: move_surveys
-- What was asked in the conversations of an address.
update survey set customer_id = :to where tenant = :tenant and conversation_id in (
    select c.id from conversation c where c.tenant = :tenant and c.identity_id = :id);

-- name: merged_into
-- Who stands for a customer from now on; null = nobody else.
update customer set merged_into = :into where tenant = :tenant and (id = :id or merged_into = :id);

-- name: stand_alone
-- A customer stands for themselves again, and for those they took over before.
update customer set merged_into = case when id = :id then null else :id end
where tenant = :tenant and (id = :id or id in (
    select g.merged_id from customer_merge g where g.tenant = :tenant and g.kept_id = :id and g.undone_at is null));

-- name: add_merge
-- Two customers are one person.
insert into customer_merge (id, tenant, kept_id, merged_id, identities, basis, merged_by, merged_at)
values (:id, :tenant, :kept, :merged, :identities, :basis, :by, cast(:now as double precision));

-- name: lock_merge
-- A merge that was not undone, held until the commit.
select * from customer_merge where tenant = :tenant and id = :id and undone_at is null {for_update};

-- name: undo_merge
-- They are two persons after all.
update customer_merge set undone_by = :by, undone_at = cast(:now as double precision)
where tenant = :tenant and id = :id;

-- name: merges
-- Who a customer took over, the latest first.
select g.id, g.merged_id, g.basis, g.merged_by, g.merged_at, k.name, p.name as by_name from customer_merge g
left join customer k on k.id = g.merged_id left join person p on p.id = g.merged_by
where g.tenant = :tenant and g.kept_id = :id and g.undone_at is null order by g.merged_at desc;

-- name: later_merges
-- Whether somebody took this customer over since.
select count(*) as n from customer where tenant = :tenant and id = :id and merged_into is not null;

-- name: same_person
-- A customer and everybody merged into them.
select id, name, attributes from customer where tenant = :tenant and (id = :id or merged_into = :id) order by id;

-- name: mark_erased
-- Nobody sees the customer any more.
update customer set erased_at = coalesce(erased_at, cast(:now as double precision))
where tenant = :tenant and (id = :id or merged_into = :id);

-- name: silent_since
-- Customers nobody has had to do with since a time, and who are not being erased: nothing open, nothing claimed.
select k.id from customer k
where k.tenant = :tenant and k.erased_at is null and k.merged_into is null
    and k.created_at < cast(:before as double precision)
    and not exists (select 1 from conversation c where c.customer_id = k.id
        and (c.updated_at >= cast(:before as double precision) or c.status in ('waiting', 'claimed')))
    and not exists (select 1 from ticket t join conversation c on c.id = t.conversation_id
        where c.customer_id = k.id and t.state <> 'closed')
order by k.created_at, k.id limit cast(:count as integer);
