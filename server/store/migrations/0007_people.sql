-- People: the second step of a sign-in, teams and what they see, alerts about waiting customers, banned customers.

create table second_factor (                     -- an authenticator app
    person_id text primary key references person (id) on delete cascade,
    tenant text not null,
    secret text not null,                        -- base32; whoever has it makes codes, so no answer shows it again
    created_at double precision not null,
    confirmed_at double precision,               -- null = begun; asked for at sign-in only from here on
    used_step bigint not null default 0          -- the newest time step whose code was used: none counts twice
);

create table recovery_code (                     -- for a lost telephone; each works once
    code_hash text primary key,
    person_id text not null references person (id) on delete cascade,
    tenant text not null,
    created_at double precision not null,
    used_at double precision
);
create index recovery_code_person on recovery_code (person_id);

create table sign_in (                           -- the password was right, the second step is open
    token_hash text primary key,
    tenant text not null,
    person_id text not null references person (id) on delete cascade,
    step text not null check (step in ('code', 'enrol')),
    tries integer not null default 0,
    created_at double precision not null,
    expires_at double precision not null
);
create index sign_in_person on sign_in (person_id);

create table team (
    id text primary key,
    tenant text not null,
    name text not null,
    created_at double precision not null,
    unique (tenant, name)
);

create table team_member (
    team_id text not null references team (id) on delete cascade,
    person_id text not null references person (id) on delete cascade,
    tenant text not null,
    primary key (team_id, person_id)
);
create index team_member_person on team_member (tenant, person_id);

create table team_place (                        -- which channel accounts a team sees; no row = all of them
    team_id text not null references team (id) on delete cascade,
    channel text not null,
    account text not null,
    tenant text not null,
    primary key (team_id, channel, account)
);

alter table customer add column banned_at double precision;      -- staff want to hear no more of this customer
alter table customer add column banned_by text;
alter table conversation add column banned_at double precision;  -- the same at hand: read with every message

create table alert (                             -- a wait that somebody was or is to be told of; once per wait and way
    conversation_id text not null references conversation (id) on delete cascade,
    waiting_since double precision not null,
    tenant text not null,
    created_at double precision not null,        -- when the browsers were told
    hook_at double precision,                    -- when the webhook was queued
    letter_at double precision,                  -- when the letter was handed over
    letter_tries integer not null default 0,
    primary key (conversation_id, waiting_since)
);
create index alert_open on alert (tenant, created_at) where letter_at is null or hook_at is null;
