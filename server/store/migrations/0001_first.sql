-- The first schema, read by both dialects. Times are epoch seconds; bodies are JSON text; booleans are 0 or 1.
-- `tenant` (the bot's name) and the channel account are in every key from day one.

create table tenant (
    id text primary key,
    event_tail bigint not null default 0,        -- last event number given out, raised once per grouped commit
    created_at double precision not null
);

create table secret (                            -- keys this installation made for itself (visitor tokens)
    name text primary key,
    value text not null,
    created_at double precision not null
);

create table store_state (                       -- what the store itself remembers (boot id of the last host)
    name text primary key,
    value text not null
);

-- lanes ------------------------------------------------------------------------------------------------------------

create table lane (
    id text primary key,
    tenant text not null,
    kind text not null,                          -- in | out | job
    key text not null,                           -- conversation id, or job name
    tail bigint not null default 0,              -- sequence of the last item put
    done bigint not null default 0,              -- every item up to here is finished
    ready_at double precision not null default 0,  -- lease clock: not taken before this
    lease_epoch bigint not null default 0,       -- fencing number, raised by each take
    holder text,                                 -- worker that holds the lease; null = nobody
    priority_at double precision not null default 0,  -- when the oldest open item came: oldest lanes are taken first
    unique (tenant, kind, key)
);
create index lane_ready on lane (kind, priority_at, id) where done < tail;  -- read in this order, so a backlog costs nothing
create index lane_holder on lane (holder) where holder is not null;

create table item (                              -- open and parked items; an acknowledged one is deleted
    lane_id text not null references lane (id),
    seq bigint not null,
    body text not null,
    created_at double precision not null,
    attempts integer not null default 0,         -- times taken as the head of its lane
    errors integer not null default 0,           -- times given back with an error
    lost_leases integer not null default 0,      -- times its worker died or overran
    dead text,                                   -- why it was parked; null = not parked
    primary key (lane_id, seq)
);
create index item_dead on item (lane_id) where dead is not null;

create table dedupe (                            -- outlives the bodies it guards
    tenant text not null,
    channel text not null,
    account text not null,
    external_id text not null,
    conversation_id text not null,
    message_id text not null,
    seen_at double precision not null,
    primary key (tenant, channel, account, external_id)
);
create index dedupe_seen on dedupe (seen_at);

create table schedule (
    tenant text not null,
    name text not null,
    cron text not null,
    body text not null,                          -- body of the job put when it is due
    enabled integer not null default 1,
    next_at double precision not null,           -- epoch seconds
    last_at double precision,
    primary key (tenant, name)
);

-- people and access ------------------------------------------------------------------------------------------------

create table person (
    id text primary key,
    tenant text not null,
    email text not null,                         -- lower case
    name text not null,
    role text not null,                          -- admin | staff | viewer
    password_hash text not null,
    created_at double precision not null,
    disabled_at double precision,
    unique (tenant, email)
);

create table login (
    token_hash text primary key,                 -- sha256 of the cookie's random value
    person_id text not null references person (id),
    csrf_hash text not null,
    created_at double precision not null,
    seen_at double precision not null,
    expires_at double precision not null,
    ip text not null,
    device text not null
);
create index login_person on login (person_id);

create table link (                              -- one-time links: first admin, invitation, password reset
    token_hash text primary key,
    tenant text not null,
    purpose text not null,                       -- setup | invite | reset
    role text not null,
    person_id text,
    email text,
    created_at double precision not null,
    expires_at double precision not null,
    used_at double precision
);

create table api_key (
    id text primary key,
    tenant text not null,
    name text not null,
    role text not null,
    key_hash text not null unique,
    created_by text,
    created_at double precision not null,
    seen_at double precision,
    revoked_at double precision
);

create table audit (                             -- append only
    id text primary key,
    tenant text not null,
    at double precision not null,
    actor_kind text not null,                    -- person | api_key | cli | customer | system
    actor_id text not null,
    action text not null,
    target text not null,
    detail text not null,
    ip text not null
);
create index audit_at on audit (tenant, at);

create table bot_switch (                        -- channel and account '*' = everywhere
    tenant text not null,
    channel text not null,
    account text not null,
    silent integer not null,
    changed_by text not null,
    changed_at double precision not null,
    primary key (tenant, channel, account)
);

-- releases ---------------------------------------------------------------------------------------------------------

create table release (                           -- immutable bundle; the id is the digest of its body
    id text primary key,
    tenant text not null,
    body text not null,
    created_at double precision not null,
    created_by text not null
);

create table release_alias (
    tenant text not null,
    alias text not null,                         -- live | candidate | canary
    release_id text not null references release (id),
    changed_by text not null,
    changed_at double precision not null,
    primary key (tenant, alias)
);

-- conversations ----------------------------------------------------------------------------------------------------

create table customer (
    id text primary key,
    tenant text not null,
    name text not null,
    created_at double precision not null,
    erased_at double precision
);

create table identity (                          -- one address of a customer on one channel account
    id text primary key,
    tenant text not null,
    channel text not null,
    account text not null,
    address text not null,
    customer_id text not null references customer (id),
    verified integer not null default 0,
    profile text not null,
    created_at double precision not null,
    unique (tenant, channel, account, address)
);
create index identity_customer on identity (customer_id);

create table conversation (
    id text primary key,
    tenant text not null,
    channel text not null,
    account text not null,
    address text not null,
    identity_id text not null references identity (id),
    customer_id text not null references customer (id),
    status text not null,                        -- bot | waiting | claimed | closed
    reason text,                                 -- why it waits for a person
    waiting_since double precision,
    owner text,                                  -- person who claimed it
    owner_epoch bigint not null default 0,       -- raised by each claim; fences every bot send
    seq bigint not null default 0,               -- tail of this conversation's events
    covered bigint not null default 0,           -- in-lane sequence up to which turns ended
    stop_seq bigint not null default 0,          -- in-lane sequence up to which the customer pressed stop
    notice_seq bigint not null default 0,        -- first in-lane sequence of the turn that already got a graceful notice
    notice_at double precision,                  -- when; the deadline for its real answer counts from here
    busy_seq bigint not null default 0,          -- the same for the busy notice
    case_id text,
    language text,
    created_at double precision not null,
    updated_at double precision not null,
    said_at double precision not null,           -- when the customer last wrote: decides whether the case went idle
    signed_out_at double precision,              -- visitor tokens issued before are void
    unique (tenant, channel, account, address)
);
create index conversation_status on conversation (tenant, status, updated_at);
create index conversation_customer on conversation (customer_id);

create table support_case (                      -- an episode of a conversation
    id text primary key,
    tenant text not null,
    conversation_id text not null references conversation (id),
    release_id text,                             -- the release this case is pinned to
    opened_at double precision not null,
    closed_at double precision,
    closed_by text,
    csat integer
);
create index case_conversation on support_case (conversation_id);

create table message (
    id text primary key,
    tenant text not null,
    conversation_id text not null references conversation (id),
    case_id text,
    seq bigint not null,                         -- the event that announced it
    item_seq bigint,                             -- customer messages: sequence in the `in` lane
    channel text not null,
    account text not null,
    role text not null,                          -- customer | assistant | staff | notice
    author text,                                 -- person id of staff
    text text not null,
    body text not null,                          -- attachments, buttons, citations, client id
    turn_id text,
    release_id text,
    trainable text not null default 'no',        -- basis from the channel account's policy
    created_at double precision not null,
    unique (conversation_id, seq)
);
create unique index message_item on message (conversation_id, item_seq) where item_seq is not null;
create index message_created on message (tenant, created_at);

create table turn (                              -- inserted once, with its outcome
    id text primary key,                         -- conversation id ':' first_seq
    tenant text not null,
    conversation_id text not null references conversation (id),
    case_id text,
    first_seq bigint not null,                   -- in-lane sequences it covers, both ends included
    last_seq bigint not null,
    attempt integer not null,
    outcome text not null,                       -- answered | graceful | handed_over
    reason text,
    release_id text,
    message_id text,
    prompt_tokens integer,
    completion_tokens integer,
    timings text not null,                       -- JSON, milliseconds
    ended_at double precision not null,
    unique (conversation_id, first_seq)
);
create index turn_ended on turn (tenant, ended_at);

create table draft (                             -- text shown before its turn commits
    conversation_id text not null references conversation (id),
    first_seq bigint not null,
    attempt integer not null,
    tenant text not null,
    state text not null,                         -- open | final | replaced | withdrawn
    provider_id text,                            -- the platform's id of the draft, where it has one
    opened_at double precision not null,
    ended_at double precision,
    primary key (conversation_id, first_seq, attempt)
);
create index draft_open on draft (conversation_id) where state = 'open';

create table step (                              -- tool calls of a turn, committed before their effect
    conversation_id text not null references conversation (id),
    first_seq bigint not null,
    number integer not null,
    tenant text not null,
    tool text not null,
    arguments text not null,
    state text not null,
    result text,
    created_at double precision not null,
    ended_at double precision,
    primary key (conversation_id, first_seq, number)
);

create table feedback (
    id text primary key,
    tenant text not null,
    conversation_id text not null references conversation (id),
    message_id text not null references message (id),
    turn_id text,
    release_id text,
    giver_kind text not null,                    -- customer | staff
    giver_id text not null,
    kind text not null,                          -- rating | correction | csat
    value text,                                  -- up | down; null = withdrawn
    reason text,
    comment text,
    created_at double precision not null,
    updated_at double precision not null,
    unique (message_id, giver_kind, giver_id, kind)
);
create index feedback_conversation on feedback (conversation_id);

create table event (                             -- immutable; what readers resume from
    tenant text not null,
    number bigint not null,                      -- per tenant, in commit order
    conversation_id text,
    seq bigint,                                  -- per conversation; the event id of the web channel
    kind text not null,
    audience text not null,                      -- customer | staff
    body text not null,
    created_at double precision not null,
    primary key (tenant, number)
);
create unique index event_conversation on event (conversation_id, seq) where conversation_id is not null;
create index event_created on event (created_at);
