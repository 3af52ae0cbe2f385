-- name: add_note
-- Staff wrote to each other.
insert into note (id, tenant, conversation_id, seq, author, text, created_at)
values (:id, :tenant, :conversation_id, cast(:seq as bigint), :author, :text, cast(:now as double precision));

-- name: note
-- One note.
select n.*, p.name as author_name from note n left join person p on p.id = n.author and p.tenant = n.tenant
where n.tenant = :tenant and n.id = :id;

-- name: edit_note
-- Its author has better words.
update note set text = :text, edited_at = cast(:now as double precision)
where tenant = :tenant and id = :id and deleted_at is null;

-- name: drop_note
-- Its words are gone; its place in the thread stays.
update note set text = '', deleted_at = cast(:now as double precision)
where tenant = :tenant and id = :id and deleted_at is null;

-- name: notes
-- The latest notes of a conversation, the newest first.
select n.id, n.conversation_id, n.seq, n.author, p.name as author_name, n.text, n.created_at, n.edited_at, n.deleted_at
from note n left join person p on p.id = n.author and p.tenant = n.tenant
where n.tenant = :tenant and n.conversation_id = :id order by n.seq desc limit cast(:count as integer);

-- name: mention
-- Somebody is asked to look, once per note; nothing happens for a person who is not there.
insert into mention (note_id, person_id, tenant, conversation_id, created_at)
select :note, p.id, :tenant, :id, cast(:now as double precision) from person p
where p.tenant = :tenant and p.id = :person and p.disabled_at is null
on conflict do nothing;

-- name: unmention
-- An edited note no longer asks them.
delete from mention where note_id = :note;

-- name: mentions_of
-- Who is asked to look by the notes of a conversation.
select note_id, person_id from mention where tenant = :tenant and conversation_id = :id order by person_id;

-- name: colleagues
-- Who can be mentioned.
select id, name, role from person where tenant = :tenant and disabled_at is null order by name, id;

-- name: labels
-- Labels by name.
select id, name, colour, created_at from label where tenant = :tenant and deleted_at is null order by name;

-- name: add_label
-- A new label; no row comes back when there is one of this name.
insert into label (id, tenant, name, colour, created_at)
values (:id, :tenant, :name, :colour, cast(:now as double precision))
on conflict do nothing returning id;

-- name: change_label
-- Another name or colour.
update label set name = :name, colour = :colour where tenant = :tenant and id = :id and deleted_at is null;

-- name: drop_label
-- Out of sight; conversations keep it for the case that it comes back.
update label set deleted_at = cast(:now as double precision) where tenant = :tenant and id = :id and deleted_at is null;

-- name: restore_label
-- Back again.
update label set deleted_at = null where tenant = :tenant and id = :id and deleted_at is not null;

-- name: clear_labels
-- A conversation carries none of the labels that can be seen.
delete from conversation_label where conversation_id = :id and tenant = :tenant
    and label_id in (select l.id from label l where l.tenant = :tenant and l.deleted_at is null);

-- name: put_label
-- A conversation carries a label that there is.
insert into conversation_label (conversation_id, label_id, tenant)
select :id, l.id, :tenant from label l where l.tenant = :tenant and l.id = :label and l.deleted_at is null
on conflict do nothing;

-- name: canned
-- Ready replies by what follows the slash; empty prefix = all.
select id, short, text, language, created_by, created_at, updated_at from canned_reply
where tenant = :tenant and (cast(:prefix as text) = '' or short like cast(:prefix as text))
order by short, language;

-- name: one_canned
-- One of them.
select id, short, text, language, created_by, created_at, updated_at from canned_reply
where tenant = :tenant and id = :id;

-- name: add_canned
-- A new one; no row comes back when its short name is taken in this language.
insert into canned_reply (id, tenant, short, text, language, created_by, created_at, updated_at)
values (:id, :tenant, :short, :text, :language, :person, cast(:now as double precision),
    cast(:now as double precision))
on conflict do nothing returning id;

-- name: change_canned
-- Better words.
update canned_reply set short = :short, text = :text, language = :language, updated_at = cast(:now as double precision)
where tenant = :tenant and id = :id;

-- name: drop_canned
-- Not needed any more.
delete from canned_reply where tenant = :tenant and id = :id;

-- name: about
-- What a reply may say about a conversation within a scope and its customer.
select c.id, c.channel, c.account, c.language, c.case_id, k.name as customer_name, i.profile, i.address
from conversation c join customer k on k.id = c.customer_id join identity i on i.id = c.identity_id
where c.tenant = :tenant and c.id = :id and {within c};

-- name: drafts
-- What somebody has begun to write to a conversation.
select kind, text, updated_at from composer_draft
where tenant = :tenant and conversation_id = :id and person_id = :person;

-- name: keep_draft
-- As far as it is now.
insert into composer_draft (conversation_id, person_id, kind, tenant, text, updated_at)
values (:id, :person, :kind, :tenant, :text, cast(:now as double precision))
on conflict (conversation_id, person_id, kind) do update set text = excluded.text, updated_at = excluded.updated_at;

-- name: drop_draft
-- Sent, or thrown away.
delete from composer_draft where conversation_id = :id and person_id = :person and kind = :kind;

-- name: my_drafts
-- Conversations within a scope in which somebody has begun to write.
select conversation_id, kind, text, updated_at from composer_draft d
where tenant = :tenant and person_id = cast(:person as text) and {of d.conversation_id}
order by updated_at desc limit 200;

-- name: old_notes
-- Notes as old as the messages that are not kept any more.
delete from note where id in (select id from note where tenant = :tenant
    and created_at < cast(:before as double precision) limit 500);

-- name: old_drafts
-- What nobody went on with.
delete from composer_draft where tenant = :tenant and updated_at < cast(:before as double precision);

-- name: old_sends
-- Delayed messages that ended; the message itself is kept as long as others.
delete from scheduled_message where id in (select id from scheduled_message where tenant = :tenant
    and state <> 'waiting' and created_at < cast(:before as double precision) limit 500);

-- name: old_uploads
-- Files of staff whose message is old, or never came; the files themselves are swept with the others.
delete from upload where id in (select id from upload where tenant = :tenant
    and created_at < cast(:before as double precision) limit 500);

-- name: said
-- What customer and answerers said last, the newest first; notices of the service are not part of the talk.
select role, text from message
where tenant = :tenant and conversation_id = :id and role <> 'notice' order by seq desc limit cast(:count as integer);
