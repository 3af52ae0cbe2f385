-- Between bot and people: who is at work, who has a conversation since when, what was promised, what customers were told.

create table presence (                          -- what somebody says of themselves, and when their console was heard
    person_id text primary key references person (id) on delete cascade,
    tenant text not null,
    status text not null check (status in ('online', 'busy', 'away')),
    changed_at double precision not null,
    heard_at double precision not null
);
create index presence_heard on presence (tenant, heard_at);

create table conversation_team (                 -- whose team a conversation is for; no row = anybody's
    conversation_id text primary key references conversation (id) on delete cascade,
    tenant text not null,
    team_id text not null references team (id) on delete cascade,
    assigned_by text not null,
    assigned_at double precision not null
);
create index conversation_team_team on conversation_team (team_id, conversation_id);

create table custody (                           -- who holds a conversation, followed from its events, by one writer
    conversation_id text primary key references conversation (id) on delete cascade,
    tenant text not null,
    status text not null,                        -- bot | waiting | claimed | closed
    since_at double precision not null,
    case_id text,
    priority integer not null default 1,
    customer_at double precision,                -- when the customer last wrote
    staff_at double precision,                   -- when staff last wrote in this case
    email text,                                  -- what a customer who waits left to be written to
    email_at double precision
);
create index custody_held on custody (tenant, status, since_at);

create table custody_cursor (                    -- how far events were followed
    tenant text primary key,
    number bigint not null
);

create table told (                              -- what a customer was told of a change of hands: once each
    conversation_id text primary key references conversation (id) on delete cascade,
    tenant text not null,
    wait_at double precision,                    -- the wait (custody.since_at) that was told
    shut_at double precision,                    -- when they were told that the desk is shut, in this wait
    claim_at double precision,
    email_at double precision
);

create table sla_clock (                         -- a promise that runs, or how it ended
    id text primary key,
    tenant text not null,
    conversation_id text not null references conversation (id) on delete cascade,
    case_id text,
    side text not null check (side in ('response', 'resolution')),
    kind text not null check (kind in ('first', 'next', 'resolution')),
    priority integer not null,
    started_at double precision not null,
    due_at double precision not null,            -- in open hours
    missed_at double precision,
    ended_at double precision,
    outcome text                                 -- met | missed | dropped
);
create unique index sla_clock_open on sla_clock (conversation_id, side) where ended_at is null;
create index sla_clock_due on sla_clock (tenant, due_at) where ended_at is null;
create index sla_clock_conversation on sla_clock (conversation_id, started_at);

alter table ticket add column assignee text;     -- person id; null = nobody in particular
alter table ticket add column closed_by text;
alter table ticket add column closed_at double precision;
create index ticket_conversation on ticket (conversation_id);
