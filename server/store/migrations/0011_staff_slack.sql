-- Corrections that a person sent their way, reasons of thumbs, edited suggestions, and staff at work in Slack.
-- Everything of a conversation goes with it.

alter table correction add column suggested text;        -- fact | behaviour: what the router says; route is a person's word
alter table correction add column decided_by text;
alter table correction add column decided_at double precision;
alter table correction add column document_id text;      -- what a fact changed in the knowledge
alter table correction add column document_version integer;

create table suggestion_edit (                   -- a reply the model had drafted, as it was before a person changed it
    message_id text primary key,
    tenant text not null,
    conversation_id text not null references conversation (id) on delete cascade,
    original text not null,
    author text not null,
    created_at double precision not null
);
create index suggestion_edit_conversation on suggestion_edit (conversation_id);

create table reason_ask (                        -- answers of which somebody was asked what was wrong; once each
    message_id text primary key,
    tenant text not null,
    conversation_id text not null references conversation (id) on delete cascade,
    asked_at double precision not null
);
create index reason_ask_conversation on reason_ask (conversation_id);

create table staff_thread (                      -- a conversation's thread in the staff channel
    conversation_id text primary key references conversation (id) on delete cascade,
    tenant text not null,
    account text not null,                       -- channel account of Slack
    room text not null,                          -- channel id
    root text not null default '',               -- ts of the root message; '' = not posted yet
    shown text not null default '',              -- digest of what the root message says
    seq bigint not null,                         -- events of the conversation up to here stand in the thread
    post text,                                   -- JSON: the message being posted, fixed before the first try; null = none
    tried_at double precision,                   -- when its first try left
    fault text,                                  -- why nothing more is shown
    created_at double precision not null
);
create unique index staff_thread_root on staff_thread (tenant, account, room, root) where root <> '';

create table staff_act (                         -- what somebody did in the staff channel; once each
    tenant text not null,
    account text not null,
    external_id text not null,                   -- channel:ts of the words, and whose press it was
    conversation_id text not null references conversation (id) on delete cascade,
    body text not null,                          -- JSON: slack user, words or button
    state text not null check (state in ('queued', 'done', 'refused')),
    person_id text,
    outcome text,                                -- id of the note or message it became, or why it was refused
    created_at double precision not null,
    primary key (tenant, account, external_id)
);
create index staff_act_conversation on staff_act (conversation_id);
create index staff_act_outcome on staff_act (outcome) where outcome is not null;
create index staff_act_created on staff_act (tenant, created_at);

create table staff_link (                        -- which person of the desk a user of Slack is
    tenant text not null,
    account text not null,
    slack_user text not null,
    person_id text not null references person (id),
    how text not null check (how in ('email', 'link')),
    linked_by text,
    checked_at double precision not null,
    primary key (tenant, account, slack_user)
);
