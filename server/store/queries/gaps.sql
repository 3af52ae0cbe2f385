-- name: signs
-- Questions that went wrong and belong to no gap yet, the oldest first: nothing found, nothing that carried an answer,
-- handed over for that, or an answer that its customer rated down. What staff say in the simulator does not count.
select * from (
    select case when t.outcome = 'handed_over' then 'handoff' when t.reason = 'unsupported' then 'unsupported'
            else 'unanswered' end as kind,
        m.turn_id as about, m.question, m.conversation_id, m.turn_id, m.created_at as at
    from question_miss m left join turn t on t.id = m.turn_id
    where m.tenant = :tenant
    union all
    select 'thumbs_down', f.message_id, q.text, f.conversation_id, t.id, q.created_at
    from feedback f join turn t on t.id = f.turn_id
    join message q on q.conversation_id = f.conversation_id and q.item_seq = t.last_seq
    where f.tenant = :tenant and f.kind = 'rating' and f.value = 'down' and f.giver_kind = 'customer'
    union all
    select 'handoff', t.id, q.text, t.conversation_id, t.id, q.created_at
    from turn t join message q on q.conversation_id = t.conversation_id and q.item_seq = t.last_seq
    where t.tenant = :tenant and t.outcome = 'handed_over' and t.reason = 'low_confidence'
        and not exists (select 1 from question_miss m where m.turn_id = t.id)
) s
where s.question <> '' and not exists (select 1 from gap_question g where g.id = s.kind || ':' || s.about)
    and not exists (select 1 from conversation c where c.id = s.conversation_id and c.account like '~%')
order by s.at, s.kind, s.about limit cast(:count as integer);

-- name: known
-- Every gap with its oldest question.
select g.id, g.state, g.decided_at, q.question from gap g join gap_question q on q.id = (
    select f.id from gap_question f where f.gap_id = g.id order by f.at, f.id limit 1)
where g.tenant = :tenant order by g.created_at, g.id;

-- name: add
-- A question like no other so far.
insert into gap (id, tenant, state, created_at) values (:id, :tenant, 'open', cast(:at as double precision));

-- name: add_question
-- One more sign of a gap; one that another process wrote meanwhile stays where that put it.
insert into gap_question (id, tenant, gap_id, kind, question, conversation_id, turn_id, at)
values (:id, :tenant, :gap_id, :kind, :question, :conversation_id, :turn_id, cast(:at as double precision))
on conflict (id) do nothing;

-- name: reopen_missed
-- It was solved, and then asked and missed again.
update gap set state = 'open', reopened = reopened + 1 where id = :id and state = 'solved';

-- name: sweep
-- Gaps whose questions are all gone are gone too.
delete from gap where tenant = :tenant and not exists (select 1 from gap_question q where q.gap_id = gap.id);

-- name: listed
-- Gaps in one state with a question within a scope, the most asked first, behind a position; the oldest such question
-- stands for the gap, the figures are everybody's.
select * from (
    select g.id, g.state, g.document_id, g.decided_by, g.decided_at, g.reopened,
        (select f.question from gap_question f where f.gap_id = g.id and {of f.conversation_id}
            order by f.at, f.id limit 1) as question,
        count(distinct q.turn_id) as asked, count(distinct q.conversation_id) as conversations,
        sum(case when q.kind = 'unanswered' then 1 else 0 end) as unanswered,
        sum(case when q.kind = 'unsupported' then 1 else 0 end) as unsupported,
        sum(case when q.kind = 'handoff' then 1 else 0 end) as handoff,
        sum(case when q.kind = 'thumbs_down' then 1 else 0 end) as thumbs_down,
        min(q.at) as first_at, max(q.at) as last_at
    from gap g join gap_question q on q.gap_id = g.id
    where g.tenant = :tenant and g.state = :state and (cast(:scope as text) = '' or exists (
        select 1 from gap_question o where o.gap_id = g.id and {of o.conversation_id}))
    group by g.id, g.state, g.document_id, g.decided_by, g.decided_at, g.reopened
) s
where s.asked < cast(:asked as double precision) or (s.asked = cast(:asked as double precision) and s.id < :id)
order by s.asked desc, s.id desc limit cast(:count as integer);

-- name: counts
-- How many gaps with a question within a scope there are in each state.
select g.state, count(*) as gaps from gap g
where g.tenant = :tenant and (cast(:scope as text) = '' or exists (
    select 1 from gap_question o where o.gap_id = g.id and {of o.conversation_id}))
group by g.state;

-- name: gap
-- One gap as it stands.
select id, state from gap where tenant = :tenant and id = :id;

-- name: lock
-- One gap, locked.
select id, state from gap where tenant = :tenant and id = :id {for_update};

-- name: questions
-- The questions of a gap within a scope, the newest first, each once per turn and kind.
select q.id, q.kind, q.question, q.conversation_id, q.turn_id, q.at, c.channel, c.language
from gap_question q join conversation c on c.id = q.conversation_id
where q.tenant = :tenant and q.gap_id = :gap_id and {within c}
order by q.at desc, q.id desc limit cast(:count as integer);

-- name: decide
-- Somebody wrote an answer, dismissed it, or opened it again.
update gap set state = :state, document_id = :document_id, decided_by = :decided_by,
    decided_at = cast(:decided_at as double precision) where tenant = :tenant and id = :id;

-- name: forget
-- Questions that are older than the shop keeps.
delete from gap_question where id in (
    select id from gap_question where tenant = :tenant and at < cast(:before as double precision)
    limit cast(:limit as integer));
