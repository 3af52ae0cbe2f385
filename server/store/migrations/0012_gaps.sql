-- What customers asked and nothing answered: the same question in other words is one gap, which staff fill or dismiss.
-- And how deliveries of platforms fared at our door. Questions of a conversation go with it.

create table gap (
    id text primary key,
    tenant text not null,
    state text not null check (state in ('open', 'solved', 'dismissed')),
    document_id text,                            -- the answer somebody wrote; null = none
    decided_by text,
    decided_at double precision,
    reopened integer not null default 0,         -- how often it was asked and missed again after it was solved
    created_at double precision not null
);
create index gap_state on gap (tenant, state);

create table gap_question (                      -- one sign of a gap; the oldest one gives the gap its words
    id text primary key,                         -- kind ':' id of the turn or message that shows it
    tenant text not null,
    gap_id text not null references gap (id) on delete cascade,
    kind text not null,                          -- unanswered | unsupported | handoff | thumbs_down
    question text not null,                      -- the customer's words
    conversation_id text not null references conversation (id) on delete cascade,
    turn_id text not null,
    at double precision not null                 -- when it was asked
);
create index gap_question_gap on gap_question (gap_id, at);
create index gap_question_at on gap_question (tenant, at);
create index gap_question_conversation on gap_question (conversation_id);

create table door (                              -- deliveries of platforms by account, day and what became of them
    tenant text not null,
    channel text not null,
    account text not null,
    day bigint not null,                         -- days since 1970 (UTC)
    status integer not null,                     -- HTTP status they were answered with
    reason text not null,                        -- our words for a refusal; '' = accepted
    deliveries bigint not null,
    last_at double precision not null,
    primary key (tenant, channel, account, day, status, reason)
);
