-- name: put (postgresql)
-- Make the lane if need be, raise its tail under its row lock, insert the item: one round trip.
with raised as (
    insert into lane (id, tenant, kind, key, tail, priority_at)
    values (:id, :tenant, :kind, :key, 1, cast(:now_s as double precision))
    on conflict (tenant, kind, key) do update set
        tail = lane.tail + 1,
        priority_at = case when lane.done = lane.tail then excluded.priority_at else lane.priority_at end
    returning id, tail
)
insert into item (lane_id, seq, body, created_at)
select id, tail, :body, cast(:now_s as double precision) from raised
returning {nth} seq;

-- name: put (sqlite)
-- The same in two statements.
insert into lane (id, tenant, kind, key, tail, priority_at) values (:id, :tenant, :kind, :key, 1, :now_s)
on conflict (tenant, kind, key) do update set
    tail = lane.tail + 1,
    priority_at = case when lane.done = lane.tail then excluded.priority_at else lane.priority_at end;
insert into item (lane_id, seq, body, created_at)
select id, tail, :body, :now_s from lane where tenant = :tenant and kind = :kind and key = :key
returning seq;

-- name: take (postgresql)
-- Lease the oldest ready lanes; `lost` tells whether somebody else's lease ran out.
with clock as materialized (
    select {lease_now} as now_s
), picked as (
    select id, holder from lane
    where kind = :kind and tenant = coalesce(cast(:tenant as text), tenant)
        and done < tail and ready_at <= (select now_s from clock)
    order by priority_at, id limit cast(:limit as bigint) {skip_locked}
)
update lane set ready_at = clock.now_s + cast(:lease_s as double precision),
    lease_epoch = lane.lease_epoch + 1, holder = :holder
from picked, clock where lane.id = picked.id
returning lane.id, lane.tenant, lane.key, lane.lease_epoch, lane.done, lane.tail, lane.priority_at,
    case when picked.holder is null then 0 else 1 end as lost;

-- name: take (sqlite)
-- The same; the heads' tries are counted first, while the former holder is still known.
update item set attempts = attempts + 1,
    lost_leases = lost_leases + (select holder is not null from lane where lane.id = item.lane_id)
where (lane_id, seq) in (
    select id, done + 1 from lane where kind = :kind and tenant = coalesce(:tenant, tenant)
        and done < tail and ready_at <= {lease_now}
    order by priority_at, id limit :limit);
update lane set ready_at = {lease_now} + :lease_s, lease_epoch = lease_epoch + 1, holder = :holder
where id in (
    select id from lane where kind = :kind and tenant = coalesce(:tenant, tenant)
        and done < tail and ready_at <= {lease_now}
    order by priority_at, id limit :limit)
returning id, tenant, key, lease_epoch, done, tail, priority_at, 0 as lost;

-- name: open_items (postgresql)
-- Count the tries of the heads of lanes just leased and read their first items. A statement of its own: the one that
-- leased may have waited for a put, whose item its snapshot does not show although the lane's tail counts it.
with asked as (
    select id, done, lost from json_to_recordset(cast(:lanes as json)) as one (id text, done bigint, lost integer)
), counted as (
    update item set attempts = item.attempts + 1, lost_leases = item.lost_leases + asked.lost
    from asked where item.lane_id = asked.id and item.seq = asked.done + 1
    returning item.lane_id, item.seq, item.attempts, item.lost_leases
)
select item.lane_id, item.seq, item.body, item.created_at, coalesce(counted.attempts, item.attempts) as attempts,
    item.errors, coalesce(counted.lost_leases, item.lost_leases) as lost_leases
from asked join item on item.lane_id = asked.id and item.seq > asked.done
    and item.seq <= asked.done + cast(:items as bigint)
left join counted on counted.lane_id = item.lane_id and counted.seq = item.seq
order by item.lane_id, item.seq;

-- name: open_items (sqlite)
-- The first items of lanes just leased.
select item.lane_id, item.seq, item.body, item.created_at, item.attempts, item.errors, item.lost_leases
from json_each(:lanes) as asked join item on item.lane_id = json_extract(asked.value, '$.id')
    and item.seq > json_extract(asked.value, '$.done') and item.seq <= json_extract(asked.value, '$.done') + :items
order by item.lane_id, item.seq;

-- name: items_since
-- Open items of a lane after a sequence number, oldest first.
select seq, body, created_at, attempts, errors, lost_leases from item
where lane_id = :lane_id and seq > :after_seq order by seq limit :limit;

-- name: ack (postgresql)
-- Finish items up to a number and free the lane, if the lease (and the tail it saw) is still the same.
with acked as (
    update lane set done = cast(:upto_seq as bigint), holder = null, ready_at = 0,
        priority_at = coalesce((select created_at from item
            where item.lane_id = lane.id and item.seq = cast(:upto_seq as bigint) + 1), priority_at)
    where id = :lane_id and lease_epoch = :epoch and holder = :holder and done = cast(:first_seq as bigint) - 1
        and cast(:upto_seq as bigint) between done + 1 and tail and tail = coalesce(cast(:saw_tail as bigint), tail)
    returning id, tail
), gone as (
    delete from item using acked where item.lane_id = acked.id
        and item.seq between cast(:first_seq as bigint) and cast(:upto_seq as bigint) and item.dead is null
)
select {nth} tail from acked;

-- name: ack (sqlite)
-- The same in two statements.
delete from item where lane_id = :lane_id and seq between :first_seq and :upto_seq and dead is null
    and exists (select 1 from lane where id = :lane_id and lease_epoch = :epoch and holder = :holder);
update lane set done = :upto_seq, holder = null, ready_at = 0,
    priority_at = coalesce((select created_at from item where item.lane_id = lane.id and item.seq = :upto_seq + 1),
        priority_at)
where id = :lane_id and lease_epoch = :epoch and holder = :holder and done = :first_seq - 1
    and :upto_seq between done + 1 and tail and tail = coalesce(:saw_tail, tail)
returning tail;

-- name: beat
-- Extend a lease.
update lane set ready_at = {lease_now} + cast(:lease_s as double precision)
where id = :lane_id and lease_epoch = :epoch and holder = :holder;

-- name: give_back (postgresql)
-- Free the lane from a time on; the head's try is counted as an error or not at all.
with freed as (
    update lane set holder = null,
        ready_at = case when cast(:delay_s as double precision) > 0
            then {lease_now} + cast(:delay_s as double precision) else 0 end
    where id = :lane_id and lease_epoch = :epoch and holder = :holder
    returning id, done
), counted as (
    update item set errors = item.errors + cast(:errors as integer), attempts = item.attempts - cast(:untried as integer)
    from freed where item.lane_id = freed.id and item.seq = freed.done + 1
)
select {nth} id from freed;

-- name: give_back (sqlite)
-- The same in two statements.
update item set errors = errors + :errors, attempts = attempts - :untried
where (lane_id, seq) in (
    select id, done + 1 from lane where id = :lane_id and lease_epoch = :epoch and holder = :holder);
update lane set holder = null, ready_at = case when :delay_s > 0 then {lease_now} + :delay_s else 0 end
where id = :lane_id and lease_epoch = :epoch and holder = :holder
returning id;

-- name: mark_dead
-- Note on items why they were given up.
update item set dead = :reason where lane_id = :lane_id and seq >= :first_seq and seq <= :upto_seq;

-- name: holders
-- Every worker that holds a lease.
select distinct holder from lane where holder is not null;

-- name: free_holder (postgresql)
-- Free the lanes of a worker that is gone and count the lost lease on each head.
with held as (
    select id from lane where holder = :holder order by id {skip_locked}
), freed as (
    update lane set holder = null, ready_at = 0 from held where lane.id = held.id
    returning lane.id, lane.kind, lane.done
), counted as (
    update item set lost_leases = item.lost_leases + 1 from freed
    where item.lane_id = freed.id and item.seq = freed.done + 1
)
select kind from freed;

-- name: free_holder (sqlite)
-- The same in two statements.
update item set lost_leases = lost_leases + 1
where (lane_id, seq) in (select id, done + 1 from lane where holder = :holder);
update lane set holder = null, ready_at = 0 where holder = :holder returning kind;

-- name: find
-- A lane by its key, without a lock.
select id, tail, done, ready_at, lease_epoch, holder, priority_at from lane
where tenant = :tenant and kind = :kind and key = :key;

-- name: counts
-- Lanes per kind: ready, leased, waiting for a later time, and when the oldest open item came.
select kind,
    coalesce(sum(case when holder is null and ready_at <= {lease_now} then 1 else 0 end), 0) as ready,
    coalesce(sum(case when holder is not null then 1 else 0 end), 0) as leased,
    coalesce(sum(case when holder is null and ready_at > {lease_now} then 1 else 0 end), 0) as waiting,
    coalesce(sum(tail - done), 0) as items, min(priority_at) as oldest_at
from lane where done < tail group by kind;

-- name: dead_counts
-- Parked items per kind.
select kind, count(*) as dead from item join lane on lane.id = item.lane_id where dead is not null group by kind;

-- name: put_schedule
-- Set a recurring job; an unchanged one keeps its next time.
insert into schedule (tenant, name, cron, body, enabled, next_at)
values (:tenant, :name, :cron, :body, :enabled, cast(:next_at as double precision))
on conflict (tenant, name) do update set
    next_at = case when schedule.cron = excluded.cron and schedule.enabled = excluded.enabled
        then schedule.next_at else excluded.next_at end,
    cron = excluded.cron, body = excluded.body, enabled = excluded.enabled;

-- name: due
-- Recurring jobs whose time has come, locked until they are moved on.
select tenant, name, cron, body from schedule
where enabled = 1 and next_at <= cast(:now_s as double precision)
order by next_at, tenant, name limit :limit {skip_locked};

-- name: fired
-- Move a recurring job on to its next time.
update schedule set next_at = cast(:next_at as double precision), last_at = cast(:now_s as double precision)
where tenant = :tenant and name = :name;
