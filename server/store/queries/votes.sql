-- name: show
-- A pair is put before somebody, in an order they do not know; shown twice it keeps its order.
insert into vote (id, tenant, run_id, row_key, person, candidate_first, shown_at)
values (:id, :tenant, :run_id, :row_key, :person, cast(:candidate_first as integer), cast(:now as double precision))
on conflict (tenant, run_id, person, row_key) do nothing;

-- name: of_person
-- What somebody was shown of a run.
select id, row_key, candidate_first, choice from vote
where tenant = :tenant and run_id = :run_id and person = :person order by shown_at, id;

-- name: ballot
-- One pair that somebody was shown, held until the commit.
select * from vote where tenant = :tenant and id = :id {for_update};

-- name: choose
-- Somebody's word, once.
update vote set choice = :choice, voted_at = cast(:now as double precision)
where tenant = :tenant and id = :id and choice is null;

-- name: tally
-- What was preferred, by person and choice.
select person, choice, count(*) as n from vote
where tenant = :tenant and run_id = :run_id and choice is not null group by person, choice order by person, choice;

-- name: rows_of
-- How many different pairs of a run were voted on.
select count(distinct row_key) as n from vote where tenant = :tenant and run_id = :run_id and choice is not null;
