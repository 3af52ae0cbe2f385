-- Blind comparison: which of two answers a person preferred, without knowing whose it was.

create table vote (
    id text primary key,
    tenant text not null,
    run_id text not null references retrain_run (id),
    row_key text not null,                       -- which prompt of the evaluation
    person text not null,
    candidate_first integer not null check (candidate_first in (0, 1)),  -- 1 = the candidate's answer stood first
    choice text check (choice in ('live', 'candidate', 'tie')),          -- null = shown, not voted on yet
    shown_at double precision not null,
    voted_at double precision,
    unique (tenant, run_id, person, row_key)
);
