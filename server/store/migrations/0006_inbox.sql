-- Around conversations, for staff: notes, labels, put-off conversations, delayed sends, drafts, saved views, search.
-- Everything of a conversation goes with it.

create table desk_state (                        -- what staff decided about a conversation; no row = nothing yet
    conversation_id text primary key references conversation (id) on delete cascade,
    tenant text not null,
    priority integer not null default 1 check (priority between 0 and 3),  -- 0 low | 1 normal | 2 high | 3 urgent
    snoozed_at double precision,                 -- when it was put off; a customer's later message ends that
    snoozed_until double precision,              -- null = not put off
    snoozed_by text
);
create index desk_state_snoozed on desk_state (tenant, snoozed_until) where snoozed_until is not null;

create table seen (                              -- how far a person has read a conversation
    person_id text not null,
    conversation_id text not null references conversation (id) on delete cascade,
    seq bigint not null,
    primary key (conversation_id, person_id)
);

create table note (                              -- what staff write to each other; never sent
    id text primary key,
    tenant text not null,
    conversation_id text not null references conversation (id) on delete cascade,
    seq bigint not null,                         -- the event that announced it: its place in the thread
    author text not null,
    text text not null,
    created_at double precision not null,
    edited_at double precision,
    deleted_at double precision
);
create index note_conversation on note (conversation_id, seq);
create index note_created on note (tenant, created_at);

create table mention (                           -- somebody is asked to look
    note_id text not null references note (id) on delete cascade,
    person_id text not null,
    tenant text not null,
    conversation_id text not null references conversation (id) on delete cascade,
    created_at double precision not null,
    seen_at double precision,
    primary key (note_id, person_id)
);
create index mention_person on mention (tenant, person_id, conversation_id);
create index mention_conversation on mention (conversation_id);

create table label (
    id text primary key,
    tenant text not null,
    name text not null,
    colour text not null,                        -- #rrggbb
    created_at double precision not null,
    deleted_at double precision                  -- kept, so that it can be brought back
);
create unique index label_name on label (tenant, name) where deleted_at is null;

create table conversation_label (
    conversation_id text not null references conversation (id) on delete cascade,
    label_id text not null references label (id) on delete cascade,
    tenant text not null,
    primary key (conversation_id, label_id)
);
create index conversation_label_label on conversation_label (label_id, conversation_id);

create table canned_reply (
    id text primary key,
    tenant text not null,
    short text not null,                         -- what follows the slash
    text text not null,                          -- with {{variables}}
    language text not null default '',           -- '' = any
    created_by text not null,
    created_at double precision not null,
    updated_at double precision not null
);
create unique index canned_reply_short on canned_reply (tenant, short, language);

create table composer_draft (                    -- what somebody has begun to write
    conversation_id text not null references conversation (id) on delete cascade,
    person_id text not null,
    kind text not null check (kind in ('reply', 'note')),
    tenant text not null,
    text text not null,
    updated_at double precision not null,
    primary key (conversation_id, person_id, kind)
);

create table saved_view (
    id text primary key,
    tenant text not null,
    person_id text not null,
    name text not null,
    query text not null,                         -- JSON: the filters of the list
    shared integer not null,                     -- 1 = everybody sees it
    created_at double precision not null
);
create index saved_view_tenant on saved_view (tenant, name);

create table scheduled_message (                 -- what staff send, for the seconds in which it can be taken back
    id text primary key,                         -- the message will have it
    tenant text not null,
    conversation_id text not null references conversation (id) on delete cascade,
    author text not null,
    owner_epoch bigint not null,                 -- of the conversation then: whoever claims it since stops the message
    text text not null,
    body text not null,                          -- JSON: attachments
    request_key text,                            -- the caller's Idempotency-Key
    state text not null check (state in ('waiting', 'sent', 'taken_back', 'changed_hands', 'closed')),
    due_at double precision not null,
    created_at double precision not null,
    ended_at double precision
);
create index scheduled_due on scheduled_message (tenant, due_at) where state = 'waiting';
create index scheduled_conversation on scheduled_message (conversation_id, created_at);
create unique index scheduled_key on scheduled_message (tenant, author, request_key) where request_key is not null;

create table upload (                            -- a file of staff that waits for its message
    id text primary key,
    tenant text not null,
    conversation_id text not null references conversation (id) on delete cascade,
    person_id text not null,
    name text not null,
    mime text not null,
    kind text not null,
    size_bytes bigint not null,
    message_id text,                             -- null = not sent
    created_at double precision not null
);
create index upload_conversation on upload (conversation_id);

create table message_word (                      -- what was said, by word: the search of both dialects
    message_id text not null references message (id) on delete cascade,
    word text not null,                          -- folded to a-z and 0-9
    tenant text not null,
    conversation_id text not null,
    at double precision not null,
    primary key (message_id, word)
);
create index message_word_word on message_word (tenant, word, at);

create table search_cursor (                     -- how far events were looked through for messages
    tenant text primary key,
    number bigint not null
);
