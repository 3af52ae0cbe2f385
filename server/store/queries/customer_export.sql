-- Everything of one conversation (its id) or of one customer (theirs), as they may have a copy of it.

-- name: rows_note
-- What staff wrote to each other about them.
select * from note where tenant = :tenant and conversation_id = :id
order by seq;

-- name: rows_feedback
-- What they and staff thought of answers.
select * from feedback where tenant = :tenant and conversation_id = :id
order by created_at;

-- name: rows_correction
-- What an answer to them should have been.
select * from correction where tenant = :tenant and conversation_id = :id
order by created_at;

-- name: rows_media
-- The files they sent.
select * from media where tenant = :tenant and conversation_id = :id
order by message_id, number;

-- name: rows_composer_draft
-- What staff had begun to write to them.
select * from composer_draft where tenant = :tenant and conversation_id = :id
order by updated_at;

-- name: rows_desk_state
-- Priority and put-off time.
select * from desk_state where tenant = :tenant and conversation_id = :id
order by conversation_id;

-- name: rows_conversation_label
-- Labels.
select * from conversation_label where tenant = :tenant and conversation_id = :id
order by label_id;

-- name: rows_scheduled_message
-- Messages of staff that waited for their moment.
select * from scheduled_message where tenant = :tenant and conversation_id = :id
order by created_at;

-- name: rows_upload
-- Files of staff.
select * from upload where tenant = :tenant and conversation_id = :id
order by created_at;

-- name: rows_step
-- Tool calls with arguments and results.
select * from step where tenant = :tenant and conversation_id = :id
order by first_seq, number;

-- name: rows_tool_request
-- Calls that waited for a yes.
select * from tool_request where tenant = :tenant and conversation_id = :id
order by created_at;

-- name: rows_dialogue
-- Slots of a call that was not complete.
select * from dialogue where tenant = :tenant and conversation_id = :id
order by conversation_id;

-- name: rows_verification
-- Who they proved to be.
select * from verification where tenant = :tenant and conversation_id = :id
order by conversation_id;

-- name: rows_lead
-- Leads.
select * from lead where tenant = :tenant and conversation_id = :id
order by created_at;

-- name: rows_ticket
-- Tickets.
select * from ticket where tenant = :tenant and conversation_id = :id
order by created_at;

-- name: rows_question_miss
-- Questions nothing answered.
select * from question_miss where tenant = :tenant and conversation_id = :id
order by created_at;

-- name: rows_turn
-- Turns with what their answers rest on.
select * from turn where tenant = :tenant and conversation_id = :id
order by first_seq;

-- name: rows_support_case
-- Episodes.
select * from support_case where tenant = :tenant and conversation_id = :id
order by opened_at;

-- name: rows_suggestion_edit
-- Replies the model had drafted.
select * from suggestion_edit where tenant = :tenant and conversation_id = :id
order by created_at;

-- name: rows_survey
-- What they were asked when it was over, and their words.
select * from survey where tenant = :tenant and conversation_id = :id
order by asked_at;

-- name: rows_gap_question
-- What they asked and nothing answered.
select * from gap_question where tenant = :tenant and conversation_id = :id
order by at;

-- name: rows_sla_clock
-- Promises about their waits.
select * from sla_clock where tenant = :tenant and conversation_id = :id
order by started_at;

-- name: rows_custody
-- Who held it, and the address they left.
select * from custody where tenant = :tenant and conversation_id = :id
order by conversation_id;

-- name: rows_message
-- What was said.
select * from message where tenant = :tenant and conversation_id = :id
order by seq;

-- name: rows_conversation
-- The conversation.
select * from conversation where tenant = :tenant and id = :id
order by id;

-- name: rows_example
-- Their examples.
select * from example where tenant = :tenant and (customer_id = :id
    or conversation_id in (select c.id from conversation c where c.customer_id = :id))
order by created_at;

-- name: rows_identity
-- Their addresses.
select * from identity where tenant = :tenant and customer_id = :id
order by created_at;

-- name: rows_customer_merge
-- Who was thought to be the same person.
select * from customer_merge where tenant = :tenant and (kept_id = :id or merged_id = :id)
order by merged_at;

-- name: rows_customer
-- The customer.
select * from customer where tenant = :tenant and id = :id
order by id;
