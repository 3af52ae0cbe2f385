-- What the desk did, in figures: facts folded from events, and what customers were asked when a case was over.
-- Facts hold no word of anybody. They outlive the events they came from; erasing a customer deletes them.

create table fact_thread (                       -- where folding stands in one conversation
    conversation_id text primary key,            -- without a reference: folding must not wait for its row's lock
    tenant text not null,
    channel text not null,
    account text not null,
    language text not null,
    status text not null,                        -- bot | waiting | claimed | closed
    case_id text,                                -- the open case
    last_case_id text,                           -- the one before, while none is open
    span_from bigint                             -- number of the event that began the running wait or claim
);

create table fact_case (                         -- one case: what the metrics call a conversation
    case_id text primary key,
    tenant text not null,
    conversation_id text not null,
    channel text not null,
    account text not null,
    language text not null,
    release_id text,                             -- of its first turn that had one
    opened_at double precision not null,
    opened_number bigint not null,               -- of the event that opened it
    number bigint not null,                      -- of the last event that counted
    closed_at double precision,
    closed_by text,                              -- staff | idle | platform
    last_at double precision not null,           -- when somebody last said something
    next_at double precision,                    -- when the same conversation opened its next case
    asked_at double precision,                   -- the customer's first message
    customer_messages integer not null default 0,
    bot_messages integer not null default 0,
    staff_messages integer not null default 0,
    bot_s double precision,                      -- from the first message to the bot's first answer
    staff_s double precision,                    -- from the handoff to the first message of staff
    handed_at double precision,
    handed_reason text,
    handle_s double precision not null default 0,  -- claimed, in spans that ended
    turns integer not null default 0,
    answered integer not null default 0,         -- turns that ended in an answer
    prompt_tokens bigint not null default 0,
    completion_tokens bigint not null default 0,
    tools_done integer not null default 0,
    tools_failed integer not null default 0,
    thumbs_up integer not null default 0,        -- answers whose last rating it is
    thumbs_down integer not null default 0,
    sla_met integer not null default 0,
    sla_breached integer not null default 0,
    csat_asked integer not null default 0,
    csat integer,                                -- 1 to 5
    nps_asked integer not null default 0,
    nps integer                                  -- 0 to 10
);
create index fact_case_opened on fact_case (tenant, opened_at, case_id);
create index fact_case_conversation on fact_case (conversation_id);

create table fact_span (                         -- a time in which a case waited for, or was with, people
    case_id text not null references fact_case (case_id) on delete cascade,
    from_number bigint not null,
    tenant text not null,
    kind text not null,                          -- waiting | claimed
    from_at double precision not null,
    to_at double precision,
    primary key (case_id, from_number)
);
create index fact_span_time on fact_span (tenant, from_at);

create table fact_answer (                       -- the bot's answers, to know whose rating changes
    message_id text primary key,
    case_id text not null references fact_case (case_id) on delete cascade,
    value text                                   -- up | down; null = not rated
);
create index fact_answer_case on fact_answer (case_id);

create table survey (                            -- one question to a customer about one case
    id text primary key,
    tenant text not null,
    conversation_id text not null references conversation (id) on delete cascade,
    case_id text not null,
    customer_id text not null,
    channel text not null,
    account text not null,
    release_id text,                             -- of the case
    person_id text,                              -- of staff who closed it; null = nobody did
    kind text not null check (kind in ('csat', 'nps')),
    message_id text,                             -- the message that asks
    score integer,
    giver text,                                  -- who pressed, in the platform's ids
    comment text,                                -- the customer's own words
    asked_at double precision not null,
    scored_at double precision,
    commented_at double precision,
    unique (tenant, case_id)
);
create index survey_asked on survey (tenant, asked_at, id);
create index survey_conversation on survey (conversation_id, asked_at);
create index survey_customer on survey (tenant, customer_id, kind, asked_at);
