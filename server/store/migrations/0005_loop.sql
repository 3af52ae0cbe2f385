-- The loop: what may train, what was corrected, what was approved, what was trained on it.
-- No row of a dataset without an approval, no approval of what may not train: the tables themselves refuse it.

create table account_policy (                    -- on what ground messages of a channel account may train
    tenant text not null,
    channel text not null,
    account text not null,
    trainable text not null check (trainable in ('no', 'consent', 'contract', 'legitimate_interest')),
    updated_at double precision not null,
    primary key (tenant, channel, account)
);

alter table turn add column made text;           -- JSON: the prompts of its rounds, by reference; null = no model was asked

create table prompt_part (                       -- system texts and tools of prompts, once each
    tenant text not null,
    digest text not null,                        -- first 32 hex digits of the body's sha256
    body text not null,
    used_at double precision not null,           -- when a turn first used it, renewed once a day
    primary key (tenant, digest)
);
create index prompt_part_used on prompt_part (tenant, used_at);

create table loop_cursor (                       -- how far the events were looked through
    tenant text not null,
    name text not null,
    number bigint not null,
    primary key (tenant, name)
);

create table correction (                        -- what staff would have answered; the original stays in its message
    id text primary key,
    tenant text not null,
    conversation_id text not null references conversation (id),
    message_id text not null references message (id),
    turn_id text,
    release_id text,
    original text not null,
    text text not null,
    calls text not null,                         -- JSON list of {name, arguments}; the calls the answer should have made
    reason text not null,                        -- wrong | unclear | incomplete | tone | format | tool | handoff | other
    note text not null,
    route text check (route in ('fact', 'behaviour')),  -- where it belongs; null = nobody has decided
    route_reason text,                           -- why that was suggested
    corrected_by text not null,
    created_at double precision not null,
    updated_at double precision not null,
    unique (message_id)
);
create index correction_created on correction (tenant, created_at);

create table example (                           -- a candidate for training, with its prompt as it was sent
    id text primary key,
    tenant text not null,
    source text not null,                        -- what it came from; the same thing makes one example
    kind text not null check (kind in ('sft', 'pair')),
    origin text not null check (origin in ('correction', 'staff_reply', 'confirmed', 'tool_call', 'refusal', 'handoff',
        'import')),
    behaviour text not null check (behaviour in ('grounded', 'refusal', 'handoff', 'tool_call', 'tool_ask', 'chat',
        'style', 'general')),
    status text not null check (status in ('pending', 'approved', 'rejected', 'withdrawn')),
    prompt text not null,                        -- JSON list of messages
    exact integer not null,                      -- 1 = the digest says that this is what the model read
    question text not null,                      -- the last thing the customer said, for lists
    target text not null,                        -- JSON {content, tool_calls}
    rejected text,                               -- the same of the answer that was corrected; null = not a pair
    tools text not null,                         -- JSON list
    sources text not null,                       -- JSON list of {id, title, text}
    language text not null,
    channel text not null,
    account text not null,
    conversation_id text,
    customer_id text,
    message_id text,
    turn_id text,
    release_id text,
    person text not null,                        -- who wrote the target; '' = the assistant
    basis text not null check (basis in ('no', 'consent', 'contract', 'legitimate_interest')),
    cluster text not null,                       -- equal for near-equal questions with near-equal answers
    weight double precision not null,
    edited integer not null default 0,           -- 1 = a reviewer changed the target
    reasons text not null default '{}',          -- JSON {codes} of its last decision
    decided_by text,
    second_by text,
    decided_at double precision,
    created_at double precision not null,
    updated_at double precision not null,
    unique (tenant, source),
    unique (id, basis)
);
create index example_queue on example (tenant, status, created_at);
create index example_cluster on example (tenant, cluster);
create index example_customer on example (customer_id);
create index example_message on example (message_id);

create table review (                            -- one reviewer's word on one example; the last one counts
    example_id text not null references example (id),
    reviewer text not null,
    tenant text not null,
    verdict text not null check (verdict in ('approve', 'reject', 'skip')),
    digest text not null,                        -- of the target that was judged
    reasons text not null,
    created_at double precision not null,
    primary key (example_id, reviewer)
);

create table approval (                          -- only what has one can be trained on; basis 'no' can never have one
    example_id text primary key,
    tenant text not null,
    basis text not null check (basis in ('consent', 'contract', 'legitimate_interest')),
    usable integer not null default 1 check (usable in (0, 1)),  -- 0 = withdrawn since
    digest text not null,                        -- sha256 of the target that was approved
    approved_by text not null,
    second_by text check (second_by is null or second_by <> approved_by),
    approved_at double precision not null,
    unique (example_id, usable),
    foreign key (example_id, basis) references example (id, basis)
);
create index approval_at on approval (tenant, approved_at);

create table retrain_run (
    id text primary key,
    tenant text not null,
    state text not null check (state in ('queued', 'running', 'done', 'failed', 'stopped', 'declined')),
    stage text not null,                         -- the stage it is at, or ended at
    epoch bigint not null default 0,             -- raised by whoever goes on with it; fences the one before
    folder text not null,
    recipe text not null,                        -- JSON; {} = the built-in one
    forced integer not null default 0,           -- 1 = a person wants it although there are few examples
    cause text not null,                         -- person | api | cli | cron | examples | decline
    note text not null,
    verdict text check (verdict in ('promote', 'reject', 'not_enough_evidence')),
    progress text not null,                      -- JSON of the running stage
    advice text,                                 -- JSON of "should we tune?"
    error text,
    stop_by text,                                -- who asked to stop it
    dataset_id text,
    adapter text,
    candidate text,                              -- release id
    live_release text,                           -- what was live when it started
    started_by text not null,
    created_at double precision not null,
    started_at double precision,
    updated_at double precision not null,
    ended_at double precision
);
create index retrain_run_created on retrain_run (tenant, created_at);
create unique index retrain_run_open on retrain_run (tenant) where state in ('queued', 'running');  -- one at a time

create table dataset (                           -- what one run was trained on
    id text primary key,
    tenant text not null,
    run_id text not null unique references retrain_run (id),
    digest text not null,                        -- sha256 of its manifest; '' until it is prepared
    manifest text not null,                      -- JSON as prepared
    rows_count integer not null,
    created_at double precision not null
);
create index dataset_created on dataset (tenant, created_at);

create table dataset_row (                       -- usable follows the approval: 1 is refused for what was withdrawn
    dataset_id text not null references dataset (id),
    example_id text not null,
    usable integer not null default 1,
    message_id text,
    split text not null check (split in ('train', 'heldout', 'dropped', 'open')),
    primary key (dataset_id, example_id),
    foreign key (example_id, usable) references approval (example_id, usable) on update cascade
);
create index dataset_row_example on dataset_row (example_id);

create table adapter (
    name text primary key,                       -- <tenant>-<digest12>
    tenant text not null,
    dataset_id text references dataset (id),
    run_id text references retrain_run (id),
    digest text not null,
    manifest text not null,                      -- JSON
    created_at double precision not null,
    erased_at double precision,                  -- somebody it was trained on was erased, or an example withdrawn
    erased_reason text                           -- erased | withdrawn
);
create index adapter_run on adapter (run_id);
