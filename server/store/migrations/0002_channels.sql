-- Messaging platforms: what is sent, what became of it, how fast, and what customers' files became.

alter table conversation add column route text not null default '{}';   -- JSON: what the channel needs to answer; the latest counts
alter table conversation add column edits bigint not null default 0;    -- raised when the customer changes an unanswered message
alter table conversation add column opted_out_at double precision;      -- STOP: nothing of the bot's is sent until START
alter table conversation add column blocked_at double precision;        -- the customer blocked us: nothing is sent at all

alter table message add column edited_at double precision;

alter table draft add column shown text;                 -- on a platform: opening | open | failed | carried | done; null = not shown
alter table draft add column holder text;                -- worker that shows it
alter table draft add column route text;                 -- JSON: where
alter table draft add column tried_at double precision;  -- when its opening left

create table outbox (                            -- one message to a customer of a platform, as a whole
    id text primary key,
    tenant text not null,
    conversation_id text not null references conversation (id),
    message_id text,                             -- null for a draft that is only taken away
    turn_id text,
    channel text not null,
    account text not null,
    kind text not null,                          -- message | template | withdraw
    author text not null,                        -- bot | staff: bot rows are fenced by owner_epoch
    owner_epoch bigint not null,                 -- of the conversation when this was written
    draft_seq bigint,                            -- first_seq of the turn whose draft this finishes or takes away
    state text not null,                         -- queued | sending | uncertain | sent | delivered | read | failed | parked | cancelled | expired
    reason text,                                 -- why failed, parked, cancelled or expired
    parts integer not null default 0,            -- 0 = not rendered yet
    created_at double precision not null,
    updated_at double precision not null
);
create index outbox_conversation on outbox (conversation_id, created_at);
create index outbox_message on outbox (message_id);
create index outbox_open on outbox (tenant, state) where state in ('queued', 'sending', 'uncertain', 'failed', 'parked');

create table part (                              -- one platform message of an outbox row, written before it is sent
    id text primary key,                         -- sent along where the platform gives it back
    tenant text not null,
    outbox_id text not null references outbox (id),
    number integer not null,                     -- 1, 2, 3 ...
    channel text not null,
    account text not null,
    payload text not null,                       -- JSON, as rendered
    state text not null,                         -- queued | sending | uncertain | sent | delivered | read | failed
    provider_id text,
    attempts integer not null default 0,         -- calls made
    repeats integer not null default 0,          -- repeated although the first may have arrived: shown to staff
    code text,                                   -- the platform's words for a failure
    detail text,
    tried_at double precision,                   -- when the first call left
    sent_at double precision,
    updated_at double precision not null,
    unique (outbox_id, number)
);
create index part_provider on part (tenant, channel, account, provider_id);

create table pace (                              -- token buckets shared by all senders; chat '*' is the whole account
    tenant text not null,
    channel text not null,
    account text not null,
    chat text not null,
    level double precision not null,
    at double precision not null,                -- lease clock of the last debit
    blocked_until double precision not null default 0,  -- lease clock; the platform said "later"
    primary key (tenant, channel, account, chat)
);

create table channel_cursor (                    -- where reading from a platform goes on
    tenant text not null,
    channel text not null,
    account text not null,
    name text not null,                          -- seen (epoch seconds up to which nothing is missing) | offset
    value text not null,
    updated_at double precision not null,
    primary key (tenant, channel, account, name)
);

create table channel_state (                     -- accounts whose access was taken away
    tenant text not null,
    channel text not null,
    account text not null,
    state text not null,                         -- ok | revoked
    reason text not null,
    changed_at double precision not null,
    primary key (tenant, channel, account)
);

create table media (                             -- a file that came with a customer's message
    id text primary key,
    tenant text not null,
    conversation_id text not null references conversation (id),
    message_id text not null references message (id),
    number integer not null,
    source text not null,                        -- JSON of the attachment as the platform described it
    state text not null,                         -- waiting | stored | refused | failed
    reason text,                                 -- too_large | type | host | gone | unavailable ...
    path text,                                   -- inside data_dir/media
    mime text,
    size_bytes bigint,
    transcript text,
    created_at double precision not null,
    ended_at double precision,
    unique (message_id, number)
);
create index media_conversation on media (conversation_id);
