-- name: queue
-- What waits for a reviewer within a scope, oldest first: near-equal examples once, with how many there are of them and
-- how many yeses they have. Examples of no conversation are everybody's.
select w.*, (select count(*) from review v where v.example_id = w.id and v.verdict = 'approve') as approvals from (
    select e.id, e.kind, e.origin, e.behaviour, e.question, e.language, e.channel, e.cluster, e.created_at,
        row_number() over (partition by e.cluster order by e.created_at, e.id) as place,
        count(*) over (partition by e.cluster) as alike
    from example e
    where e.tenant = :tenant and e.status = 'pending' and e.basis <> 'no'
        and {of e.conversation_id}
        and (cast(:behaviour as text) = '' or e.behaviour = cast(:behaviour as text))
        and (cast(:origin as text) = '' or e.origin = cast(:origin as text))
        and not exists (select 1 from review r where r.example_id = e.id and r.reviewer = :reviewer)) w
where w.place = 1 and (w.created_at > cast(:at as double precision)
    or (w.created_at = cast(:at as double precision) and w.id > :id))
order by w.created_at, w.id limit cast(:count as integer);

-- name: waiting
-- How many wait for a reviewer within a scope, how many of them are not near-equal to another, how many may not train
-- at all, and how many this reviewer judged since a time.
select
    (select count(*) from example e where e.tenant = :tenant and e.status = 'pending' and e.basis <> 'no'
        and {of e.conversation_id}
        and not exists (select 1 from review r where r.example_id = e.id and r.reviewer = :reviewer)) as waiting,
    (select count(distinct e.cluster) from example e where e.tenant = :tenant and e.status = 'pending'
        and e.basis <> 'no' and {of e.conversation_id}
        and not exists (select 1 from review r where r.example_id = e.id and r.reviewer = :reviewer)) as clusters,
    (select count(*) from example e where e.tenant = :tenant and e.status = 'pending' and e.basis = 'no'
        and {of e.conversation_id}) as barred,
    (select count(*) from review r where r.tenant = :tenant and r.reviewer = :reviewer
        and r.created_at >= cast(:since as double precision)) as judged;

-- name: alike
-- Examples of one cluster within a scope that still wait for a reviewer, oldest first.
select e.id from example e
where e.tenant = :tenant and e.cluster = :cluster and e.status = 'pending' and e.basis <> 'no'
    and {of e.conversation_id}
    and not exists (select 1 from review r where r.example_id = e.id and r.reviewer = :reviewer)
order by e.created_at, e.id limit cast(:count as integer);

-- name: taken_back
-- One reviewer's word never was.
delete from review where example_id = :example_id and reviewer = :reviewer;

-- name: reopen
-- An example waits again.
update example set status = 'pending', reasons = '{}', decided_by = null, second_by = null, decided_at = null,
    updated_at = cast(:now as double precision)
where tenant = :tenant and id = :id;

-- name: used
-- In how many datasets an example is.
select count(*) as n from dataset_row where example_id = :id and split <> 'dropped';

-- name: dataset_rows
-- A page of a dataset's rows within a scope in the order of their examples; an empty filter means all.
select e.id, r.split, r.usable, e.origin, e.behaviour, e.kind, e.language, e.channel, e.question, e.target,
    e.conversation_id, e.status, e.created_at
from dataset_row r join example e on e.id = r.example_id
where r.dataset_id = :dataset_id and e.tenant = :tenant
    and {of e.conversation_id}
    and (cast(:split as text) = '' or r.split = cast(:split as text))
    and (cast(:behaviour as text) = '' or e.behaviour = cast(:behaviour as text))
    and (cast(:origin as text) = '' or e.origin = cast(:origin as text))
    and (e.created_at < cast(:at as double precision) or (e.created_at = cast(:at as double precision) and e.id < :id))
order by e.created_at desc, e.id desc limit cast(:count as integer);

-- name: approved
-- How many examples may be trained on now.
select count(*) as n from approval a join example e on e.id = a.example_id
where a.tenant = :tenant and a.usable = 1 and e.status = 'approved';

-- name: last_done
-- How long the newest retrain that went to its end took, and over how many rows.
select n.id, n.started_at, n.ended_at, d.rows_count from retrain_run n join dataset d on d.run_id = n.id
where n.tenant = :tenant and n.state = 'done' and n.started_at is not null and n.ended_at is not null
    and d.rows_count > 0
order by n.ended_at desc limit 1;
