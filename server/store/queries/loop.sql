-- name: set_policy
-- On what ground messages of an account may train from now on.
insert into account_policy (tenant, channel, account, trainable, updated_at)
values (:tenant, :channel, :account, :trainable, cast(:now as double precision))
on conflict (tenant, channel, account) do update set trainable = excluded.trainable, updated_at = excluded.updated_at;

-- name: keep_made
-- The prompts of a turn, by reference.
update turn set made = :made where id = :id;

-- name: keep_part
-- A text of a prompt, once; renewed when a day has passed, so that retention sees that it is used. A known one is only
-- looked at: every turn of every worker comes by here, and none must wait for another.
insert into prompt_part (tenant, digest, body, used_at)
select cast(:tenant as text), cast(:digest as text), cast(:body as text), cast(:now as double precision)
where not exists (select 1 from prompt_part p where p.tenant = cast(:tenant as text)
    and p.digest = cast(:digest as text) and p.used_at > cast(:now as double precision) - 86400)
on conflict (tenant, digest) do update set used_at = excluded.used_at;

-- name: part
-- A text of a prompt.
select body from prompt_part where tenant = :tenant and digest = :digest;

-- name: cursor
-- How far the events were looked through.
select number from loop_cursor where tenant = :tenant and name = :name;

-- name: move_cursor
-- Everything up to here was looked through; never backwards.
insert into loop_cursor (tenant, name, number) values (:tenant, :name, cast(:number as bigint))
on conflict (tenant, name) do update set number = excluded.number where excluded.number > loop_cursor.number;

-- name: events_since
-- What was said, rated and ended since, oldest first; other kinds make no examples.
select number, conversation_id, seq, kind, body, created_at from event
where tenant = :tenant and number > cast(:after as bigint)
    and kind in ('message', 'feedback', 'turn_ended', 'state')
order by number limit cast(:count as integer);

-- name: turn
-- A turn with its conversation.
select t.*, c.channel, c.account, c.language, c.customer_id, m.seq as message_seq, m.text as message_text
from turn t join conversation c on c.id = t.conversation_id left join message m on m.id = t.message_id
where t.id = :id and t.tenant = :tenant;

-- name: message
-- A message with its conversation and, for an answer, its turn.
select m.*, c.language, c.customer_id, t.made, t.grounding, t.first_seq, t.last_seq, t.outcome, t.reason as turn_reason
from message m join conversation c on c.id = m.conversation_id left join turn t on t.id = m.turn_id
where m.id = :id and m.tenant = :tenant;

-- name: talk_before
-- What was said before a sequence, newest first; the turn's own question (its in-lane sequences) is left out.
select id, seq, role, author, text, item_seq, trainable, created_at from message
where conversation_id = :conversation_id and role <> 'notice' and seq < cast(:seq as bigint)
    and (item_seq is null or item_seq < cast(:first_seq as bigint))
order by seq desc limit cast(:count as integer);

-- name: turn_steps
-- The tool calls of a turn, in order.
select number, tool, arguments, state, result, call_id, round from step
where conversation_id = :conversation_id and first_seq = cast(:first_seq as bigint) order by number;

-- name: usual_prompt
-- What the newest answer of a release was told; for turns in which no model was asked.
select made from turn where tenant = :tenant and release_id = :release_id and made is not null
order by ended_at desc limit 1;

-- name: barred
-- Whether a prompt holds a message that must not train; also when nothing of it is stored any more.
select coalesce(max(case when trainable = 'no' then 1 else 0 end), 1) as barred from message
where conversation_id = :conversation_id and role <> 'notice'
    and seq >= cast(:from_seq as bigint) and seq <= cast(:seq as bigint);

-- name: add_example
-- A candidate; what it came from already is one, then nothing happens.
insert into example (id, tenant, source, kind, origin, behaviour, status, prompt, exact, question, target, rejected,
    tools, sources, language, channel, account, conversation_id, customer_id, message_id, turn_id, release_id, person,
    basis, cluster, weight, created_at, updated_at)
values (:id, :tenant, :source, :kind, :origin, :behaviour, 'pending', :prompt, cast(:exact as integer), :question,
    :target, :rejected, :tools, :sources, :language, :channel, :account, :conversation_id, :customer_id, :message_id,
    :turn_id, :release_id, :person, :basis, :cluster, cast(:weight as double precision),
    cast(:now as double precision), cast(:now as double precision))
on conflict (tenant, source) do nothing;

-- name: renew_example
-- The same source says something else now; what a reviewer decided or edited stays.
update example set kind = :kind, behaviour = :behaviour, prompt = :prompt, exact = cast(:exact as integer),
    question = :question, target = :target, rejected = :rejected, tools = :tools, sources = :sources, person = :person,
    cluster = :cluster, updated_at = cast(:now as double precision)
where tenant = :tenant and source = :source and status = 'pending' and edited = 0;

-- name: example
-- One example.
select * from example where tenant = :tenant and id = :id;

-- name: lock_example
-- One example, held until the commit.
select * from example where tenant = :tenant and id = :id {for_update};

-- name: example_of_source
-- The example something became.
select * from example where tenant = :tenant and source = :source {for_update};

-- name: examples
-- A page of examples within a scope (or of no conversation) before a position, the newest first; an empty filter means
-- all. How many are alike counts everybody's.
select id, kind, origin, behaviour, status, exact, question, target, rejected, language, channel, conversation_id,
    customer_id, message_id, release_id, person, basis, cluster, weight, edited, reasons, decided_by, second_by,
    decided_at, created_at,
    (select count(*) from example o where o.tenant = example.tenant and o.cluster = example.cluster) as alike
from example
where tenant = :tenant and {of example.conversation_id}
    and (cast(:status as text) = '' or status = cast(:status as text))
    and (cast(:cluster as text) = '' or cluster = cast(:cluster as text))
    and (cast(:behaviour as text) = '' or behaviour = cast(:behaviour as text))
    and (cast(:origin as text) = '' or origin = cast(:origin as text))
    and (created_at < cast(:at as double precision) or (created_at = cast(:at as double precision) and id < :id))
order by created_at desc, id desc limit cast(:count as integer);

-- name: next_example
-- The oldest example within a scope (or of no conversation) that waits for this reviewer: neither judged by them nor
-- untrainable.
select * from example
where tenant = :tenant and status = 'pending' and basis <> 'no'
    and {of example.conversation_id}
    and not exists (select 1 from review r where r.example_id = example.id and r.reviewer = :reviewer)
order by created_at, id limit 1;

-- name: example_counts
-- How many there are, by state, origin and behaviour.
select status, origin, behaviour, count(*) as n from example where tenant = :tenant
group by status, origin, behaviour order by status, origin, behaviour;

-- name: edit_example
-- A reviewer's own words; earlier verdicts were about other ones.
update example set target = :target, behaviour = :behaviour, cluster = :cluster, edited = 1,
    updated_at = cast(:now as double precision)
where tenant = :tenant and id = :id and status = 'pending';

-- name: decide_example
-- A decision, or its opening again.
update example set status = :status, reasons = :reasons, decided_by = :decided_by, second_by = :second_by,
    decided_at = cast(:decided_at as double precision), updated_at = cast(:now as double precision)
where tenant = :tenant and id = :id;

-- name: give_review
-- One reviewer's word.
insert into review (example_id, reviewer, tenant, verdict, digest, reasons, created_at)
values (:example_id, :reviewer, :tenant, :verdict, :digest, :reasons, cast(:now as double precision))
on conflict (example_id, reviewer) do update set verdict = excluded.verdict, digest = excluded.digest,
    reasons = excluded.reasons, created_at = excluded.created_at;

-- name: reviews
-- Everybody's word on an example, in order.
select reviewer, verdict, digest, reasons, created_at from review where example_id = :example_id
order by created_at, reviewer;

-- name: agreement
-- Examples that two or more people judged: how many, and where all said the same.
select count(*) as judged, coalesce(sum(case when lowest = highest then 1 else 0 end), 0) as agreed from (
    select example_id, min(verdict) as lowest, max(verdict) as highest from review
    where tenant = :tenant and verdict <> 'skip' group by example_id having count(*) > 1) as pairs;

-- name: approve
-- An example may be trained on; the tables refuse one whose basis is no.
insert into approval (example_id, tenant, basis, digest, approved_by, second_by, approved_at)
select id, tenant, basis, :digest, :approved_by, :second_by, cast(:now as double precision) from example
where tenant = :tenant and id = :id
on conflict (example_id) do update set usable = 1, digest = excluded.digest, approved_by = excluded.approved_by,
    second_by = excluded.second_by, approved_at = excluded.approved_at;

-- name: revoke
-- An approval counts no more; rows of datasets that used it say so.
update approval set usable = 0 where tenant = :tenant and example_id = :id and usable = 1;

-- name: withdraw_of_message
-- An answer turned out wrong, or a person was needed after all: what was made of it is no example any more.
select id, status from example
where tenant = :tenant and message_id = :message_id and origin in ('confirmed', 'tool_call', 'refusal')
    and status in ('pending', 'approved') {for_update};

-- name: confirmed_before
-- Confirmed answers of the case that a conversation was in at a sequence.
select id, message_id, status from example
where tenant = :tenant and conversation_id = :conversation_id and origin = 'confirmed'
    and status in ('pending', 'approved') and message_id in (
        select m.id from message m where m.conversation_id = :conversation_id and m.seq <= cast(:seq as bigint)
            and m.case_id = (select o.case_id from message o where o.conversation_id = :conversation_id
                and o.seq <= cast(:seq as bigint) order by o.seq desc limit 1)) {for_update};

-- name: went_wrong
-- What happened after an answer that says it was not good after all: a correction, a person who took over.
select (select count(*) from correction c where c.message_id = :message_id) as corrected,
    (select count(*) from message s where s.conversation_id = :conversation_id and s.role = 'staff'
        and s.case_id = :case_id and s.seq > cast(:seq as bigint)) as staffed,
    (select count(*) from turn t where t.conversation_id = :conversation_id and t.outcome = 'handed_over'
        and t.case_id = :case_id and t.ended_at > cast(:at as double precision)) as handed_over,
    (select count(*) from feedback f where f.message_id = :message_id and f.kind = 'rating' and f.value = 'down') as down;

-- name: thumb
-- Whether somebody finds an answer good and nobody finds it bad.
select case when max(case when value = 'up' then 1 else 0 end) = 1
    and max(case when value = 'down' then 1 else 0 end) = 0 then 1 else 0 end as up
from feedback where message_id = :message_id and kind = 'rating' and value is not null;

-- name: asked_before
-- What the customer said right before a sequence, back to whoever spoke before, newest first.
select id, seq, item_seq, text, case_id from message
where conversation_id = :conversation_id and role = 'customer' and seq < cast(:seq as bigint)
    and seq > coalesce((select max(o.seq) from message o where o.conversation_id = :conversation_id
        and o.role in ('assistant', 'staff') and o.seq < (select max(n.seq) from message n
            where n.conversation_id = :conversation_id and n.role = 'customer' and n.seq < cast(:seq as bigint))), 0)
order by seq desc limit 20;

-- name: staff_after
-- What staff said from a sequence on until the customer spoke again, in order.
select id, seq, author, text, trainable from message
where conversation_id = :conversation_id and role = 'staff' and seq > cast(:seq as bigint)
    and seq < coalesce((select min(n.seq) from message n where n.conversation_id = :conversation_id
        and n.role = 'customer' and n.seq > cast(:seq as bigint)), 9000000000000000000)
order by seq limit 20;

-- name: case_release
-- The bundle a case is pinned to, else the live one.
select r.id, r.body from release r where r.id = coalesce(
    (select s.release_id from support_case s where s.id = :case_id),
    (select a.release_id from release_alias a where a.tenant = :tenant and a.alias = 'live'));

-- name: customer_examples
-- How many examples one customer's talks made since a time, besides what staff wrote.
select count(*) as n from example
where tenant = :tenant and customer_id = :customer_id and origin in ('confirmed', 'tool_call', 'refusal', 'handoff')
    and created_at >= cast(:since as double precision);

-- name: usable
-- Approved examples in the order of their approval, after a position.
select e.*, a.approved_by, a.second_by as seconded_by, a.approved_at, a.digest as approved_digest,
    i.profile, i.address, u.name as customer_name
from approval a join example e on e.id = a.example_id
left join conversation c on c.id = e.conversation_id
left join identity i on i.id = c.identity_id
left join customer u on u.id = e.customer_id
where a.tenant = :tenant and a.usable = 1 and e.status = 'approved'
    and (a.approved_at > cast(:at as double precision)
        or (a.approved_at = cast(:at as double precision) and e.id > :id))
order by a.approved_at, e.id limit cast(:count as integer);

-- name: approved_since
-- How many examples were approved since a time.
select count(*) as n from approval where tenant = :tenant and usable = 1 and approved_at > cast(:since as double precision);

-- name: customer_adapters
-- Adapters that were trained on a customer's words and are not flagged yet.
select distinct a.name from adapter a join dataset_row r on r.dataset_id = a.dataset_id and r.split in ('train', 'open')
join example e on e.id = r.example_id
where a.tenant = :tenant and e.customer_id = :customer_id and a.erased_at is null;

-- name: example_adapters
-- Adapters that were trained on an example and are not flagged yet.
select distinct a.name from adapter a join dataset_row r on r.dataset_id = a.dataset_id and r.split in ('train', 'open')
where a.tenant = :tenant and r.example_id = :id and a.erased_at is null;

-- name: flag_adapter
-- To be replaced at the next run.
update adapter set erased_at = cast(:now as double precision), erased_reason = :reason
where tenant = :tenant and name = :name and erased_at is null;

-- name: customer_runs
-- Folders of runs that hold a customer's words.
select distinct n.id, n.folder from retrain_run n join dataset d on d.run_id = n.id
join dataset_row r on r.dataset_id = d.id join example e on e.id = r.example_id
where n.tenant = :tenant and e.customer_id = :customer_id;

-- name: erase_dataset_rows
-- A customer's rows in datasets.
delete from dataset_row where example_id in (
    select id from example where tenant = :tenant and customer_id = :customer_id);

-- name: erase_approvals
-- A customer's approved examples.
delete from approval where example_id in (select id from example where tenant = :tenant and customer_id = :customer_id);

-- name: erase_reviews
-- What was thought of them.
delete from review where example_id in (select id from example where tenant = :tenant and customer_id = :customer_id);

-- name: erase_examples
-- A customer's examples.
delete from example where tenant = :tenant and customer_id = :customer_id returning id;

-- name: erase_corrections
-- Corrections of answers to a customer.
delete from correction where tenant = :tenant and conversation_id in (
    select id from conversation where customer_id = :customer_id);

-- name: erase_made
-- The prompts of answers to a customer; shared texts without their words stay until retention takes them.
update turn set made = null where tenant = :tenant and made is not null and conversation_id in (
    select id from conversation where customer_id = :customer_id);

-- name: correct
-- What staff would have answered; a later correction of the same answer takes its place.
insert into correction (id, tenant, conversation_id, message_id, turn_id, release_id, original, text, calls, reason,
    note, suggested, route_reason, corrected_by, created_at, updated_at)
values (:id, :tenant, :conversation_id, :message_id, :turn_id, :release_id, :original, :text, :calls, :reason, :note,
    :suggested, :route_reason, :corrected_by, cast(:now as double precision), cast(:now as double precision))
on conflict (message_id) do update set text = excluded.text, calls = excluded.calls, reason = excluded.reason,
    note = excluded.note, suggested = excluded.suggested, route_reason = excluded.route_reason, route = null,
    decided_by = null, decided_at = null, corrected_by = excluded.corrected_by, updated_at = excluded.updated_at;

-- name: note_correction
-- The correction beside the ratings, so that one look finds what people thought of an answer.
insert into feedback (id, tenant, conversation_id, message_id, turn_id, release_id, giver_kind, giver_id, kind, value,
    reason, comment, created_at, updated_at)
values (:id, :tenant, :conversation_id, :message_id, :turn_id, :release_id, 'staff', :giver_id, 'correction', null,
    :reason, null, cast(:now as double precision), cast(:now as double precision))
on conflict (message_id, giver_kind, giver_id, kind) do update set reason = excluded.reason,
    updated_at = excluded.updated_at;

-- name: correction_of
-- The correction of an answer.
select * from correction where tenant = :tenant and message_id = :message_id;

-- name: correction
-- One correction with the example it became.
select c.*, e.id as example_id, e.status from correction c
left join example e on e.tenant = c.tenant and e.source = 'correction:' || c.message_id
where c.tenant = :tenant and c.id = :id;

-- name: corrections
-- A page of corrections within a scope before a position, the newest first.
select c.*, e.id as example_id, e.status from correction c
left join example e on e.tenant = c.tenant and e.source = 'correction:' || c.message_id
where c.tenant = :tenant and {of c.conversation_id} and (c.created_at < cast(:at as double precision)
    or (c.created_at = cast(:at as double precision) and c.id < :id))
order by c.created_at desc, c.id desc limit cast(:count as integer);

-- name: ratings
-- A page of feedback within a scope before a position, the newest first; an empty filter means all.
select f.*, c.channel, c.account, c.customer_id, i.verified from feedback f
join conversation c on c.id = f.conversation_id join identity i on i.id = c.identity_id
where f.tenant = :tenant and {within c} and (cast(:kind as text) = '' or f.kind = cast(:kind as text))
    and (cast(:value as text) = '' or f.value = cast(:value as text))
    and (cast(:release as text) = '' or f.release_id = cast(:release as text))
    and (f.created_at < cast(:at as double precision)
        or (f.created_at = cast(:at as double precision) and f.id < :id))
order by f.created_at desc, f.id desc limit cast(:count as integer);

-- name: thumbs
-- Ratings of a release's answers in a time, one row per giver: how many up and down, and whether they proved who they are.
select f.giver_kind, f.giver_id, max(i.verified) as verified,
    sum(case when f.value = 'up' then 1 else 0 end) as up, sum(case when f.value = 'down' then 1 else 0 end) as down
from feedback f join conversation c on c.id = f.conversation_id join identity i on i.id = c.identity_id
where f.tenant = :tenant and f.kind = 'rating' and f.value is not null and f.release_id = :release
    and f.updated_at >= cast(:since as double precision) and f.updated_at < cast(:until as double precision)
group by f.giver_kind, f.giver_id;

-- name: turn_outcomes
-- How a release's turns ended in a time.
select count(*) as turns, coalesce(sum(case when outcome = 'handed_over' then 1 else 0 end), 0) as handed_over,
    min(ended_at) as first_at from turn
where tenant = :tenant and release_id = :release and ended_at >= cast(:since as double precision)
    and ended_at < cast(:until as double precision);

-- name: satisfaction
-- CSAT of a release's cases in a time.
select count(*) as n, avg(cast(csat as double precision)) as mean,
    avg(cast(csat as double precision) * csat) as mean_square
from support_case where tenant = :tenant and release_id = :release and csat is not null
    and closed_at >= cast(:since as double precision) and closed_at < cast(:until as double precision);

-- name: add_run
-- A retrain begins to wait; no row comes back when one is open.
insert into retrain_run (id, tenant, state, stage, folder, recipe, forced, cause, note, progress, started_by,
    created_at, updated_at)
values (:id, :tenant, 'queued', 'export', :folder, :recipe, cast(:forced as integer), :cause, :note, '{}', :started_by,
    cast(:now as double precision), cast(:now as double precision))
on conflict do nothing returning id;

-- name: run
-- One retrain.
select * from retrain_run where tenant = :tenant and id = :id;

-- name: open_run
-- The retrain that waits or works.
select * from retrain_run where tenant = :tenant and state in ('queued', 'running');

-- name: last_run
-- The newest retrain that got as far as looking at examples.
select * from retrain_run where tenant = :tenant and state <> 'queued' order by created_at desc limit 1;

-- name: runs
-- A page of retrains before a position, the newest first.
select * from retrain_run
where tenant = :tenant and (created_at < cast(:at as double precision)
    or (created_at = cast(:at as double precision) and id < :id))
order by created_at desc, id desc limit cast(:count as integer);

-- name: take_run
-- Somebody goes on with a retrain; whoever had it before is fenced.
update retrain_run set state = 'running', epoch = epoch + 1, live_release = coalesce(live_release, :live),
    started_at = coalesce(started_at, cast(:now as double precision)), updated_at = cast(:now as double precision)
where tenant = :tenant and id = :id and state in ('queued', 'running') returning epoch, stage, stop_by;

-- name: stage_run
-- A stage begins.
update retrain_run set stage = :stage, progress = :progress, updated_at = cast(:now as double precision)
where id = :id and epoch = cast(:epoch as bigint) and state = 'running';

-- name: mirror_run
-- How far the running stage is.
update retrain_run set progress = :progress, updated_at = cast(:now as double precision)
where id = :id and epoch = cast(:epoch as bigint) and state = 'running' returning stop_by;

-- name: note_run
-- What a stage found out; null leaves what is there.
update retrain_run set verdict = coalesce(:verdict, verdict), advice = coalesce(:advice, advice),
    dataset_id = coalesce(:dataset_id, dataset_id), adapter = coalesce(:adapter, adapter),
    candidate = coalesce(:candidate, candidate), updated_at = cast(:now as double precision)
where id = :id and epoch = cast(:epoch as bigint) and state = 'running';

-- name: end_run
-- A retrain is over.
update retrain_run set state = :state, error = :error, ended_at = cast(:now as double precision),
    updated_at = cast(:now as double precision)
where id = :id and epoch = cast(:epoch as bigint) and state = 'running';

-- name: stop_run
-- Somebody wants it stopped; whoever works on it sees that at its next look.
update retrain_run set stop_by = :stop_by, updated_at = cast(:now as double precision)
where tenant = :tenant and id = :id and state in ('queued', 'running') and stop_by is null;

-- name: drop_waiting_run
-- Stopped before anybody took it.
update retrain_run set state = 'stopped', ended_at = cast(:now as double precision)
where tenant = :tenant and id = :id and state = 'queued';

-- name: add_dataset
-- What a run is trained on; the same run has one.
insert into dataset (id, tenant, run_id, digest, manifest, rows_count, created_at)
values (:id, :tenant, :run_id, '', '{}', cast(:rows_count as integer), cast(:now as double precision))
on conflict (run_id) do update set rows_count = excluded.rows_count;

-- name: add_row
-- An approved example becomes part of a dataset; refused for any other.
insert into dataset_row (dataset_id, example_id, usable, message_id, split)
values (:dataset_id, :example_id, 1, :message_id, 'open')
on conflict (dataset_id, example_id) do nothing;

-- name: clear_rows
-- The export of a run starts again.
delete from dataset_row where dataset_id = :dataset_id;

-- name: split_row
-- Which side a row went to.
update dataset_row set split = :split where dataset_id = :dataset_id and example_id = :example_id;

-- name: drop_open_rows
-- Rows that preparing left out, for quotas or as duplicates.
update dataset_row set split = 'dropped' where dataset_id = :dataset_id and split = 'open';

-- name: seal_dataset
-- The dataset as prepared.
update dataset set digest = :digest, manifest = :manifest where id = :id;

-- name: dataset
-- One dataset.
select * from dataset where tenant = :tenant and id = :id;

-- name: datasets
-- A page of datasets before a position, the newest first.
select * from dataset
where tenant = :tenant and (created_at < cast(:at as double precision)
    or (created_at = cast(:at as double precision) and id < :id))
order by created_at desc, id desc limit cast(:count as integer);

-- name: dataset_counts
-- Rows of a dataset by side, origin and behaviour.
select r.split, e.origin, e.behaviour, count(*) as n from dataset_row r join example e on e.id = r.example_id
where r.dataset_id = :id group by r.split, e.origin, e.behaviour order by r.split, e.origin, e.behaviour;

-- name: earlier_folders
-- Folders of runs whose held-out rows must stay held out.
select n.folder from dataset d join retrain_run n on n.id = d.run_id
where d.tenant = :tenant and d.digest <> '' and d.run_id <> :run_id order by d.created_at;

-- name: add_adapter
-- What a run produced.
insert into adapter (name, tenant, dataset_id, run_id, digest, manifest, created_at)
values (:name, :tenant, :dataset_id, :run_id, :digest, :manifest, cast(:now as double precision))
on conflict (name) do nothing;

-- name: adapter
-- One adapter.
select * from adapter where tenant = :tenant and name = :name;
