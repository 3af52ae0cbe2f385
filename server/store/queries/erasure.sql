-- Everything of one conversation (its id) or of one customer (theirs): gone, and whether any is left.
-- Each table of server/customers/tables.py that is erased has a pair here.

-- name: drop_message_word
-- The words their messages are found by.
delete from message_word where tenant = :tenant and conversation_id = :id;

-- name: left_message_word
-- Whether any of it is left.
select count(*) as n from message_word where tenant = :tenant and conversation_id = :id;

-- name: drop_mention
-- Colleagues asked to look.
delete from mention where tenant = :tenant and conversation_id = :id;

-- name: left_mention
-- Whether any of it is left.
select count(*) as n from mention where tenant = :tenant and conversation_id = :id;

-- name: drop_note
-- What staff wrote to each other about them.
delete from note where tenant = :tenant and conversation_id = :id;

-- name: left_note
-- Whether any of it is left.
select count(*) as n from note where tenant = :tenant and conversation_id = :id;

-- name: drop_feedback
-- What they and staff thought of answers.
delete from feedback where tenant = :tenant and conversation_id = :id;

-- name: left_feedback
-- Whether any of it is left.
select count(*) as n from feedback where tenant = :tenant and conversation_id = :id;

-- name: drop_correction
-- What an answer to them should have been.
delete from correction where tenant = :tenant and conversation_id = :id;

-- name: left_correction
-- Whether any of it is left.
select count(*) as n from correction where tenant = :tenant and conversation_id = :id;

-- name: drop_media
-- The files they sent; the bytes go by the ids noted before.
delete from media where tenant = :tenant and conversation_id = :id;

-- name: left_media
-- Whether any of it is left.
select count(*) as n from media where tenant = :tenant and conversation_id = :id;

-- name: drop_part
-- What was sent to them, as rendered.
delete from part where outbox_id in (select o.id from outbox o
    where o.tenant = :tenant and o.conversation_id = :id);

-- name: left_part
-- Whether any of it is left.
select count(*) as n from part where outbox_id in (select o.id from outbox o
    where o.tenant = :tenant and o.conversation_id = :id);

-- name: drop_outbox
-- What was sent to them, as a whole.
delete from outbox where tenant = :tenant and conversation_id = :id;

-- name: left_outbox
-- Whether any of it is left.
select count(*) as n from outbox where tenant = :tenant and conversation_id = :id;

-- name: drop_composer_draft
-- What staff had begun to write to them.
delete from composer_draft where tenant = :tenant and conversation_id = :id;

-- name: left_composer_draft
-- Whether any of it is left.
select count(*) as n from composer_draft where tenant = :tenant and conversation_id = :id;

-- name: drop_seen
-- How far staff had read.
delete from seen where conversation_id in (select c.id from conversation c
    where c.tenant = :tenant and c.id = :id);

-- name: left_seen
-- Whether any of it is left.
select count(*) as n from seen where conversation_id in (select c.id from conversation c
    where c.tenant = :tenant and c.id = :id);

-- name: drop_desk_state
-- Priority and put-off time.
delete from desk_state where tenant = :tenant and conversation_id = :id;

-- name: left_desk_state
-- Whether any of it is left.
select count(*) as n from desk_state where tenant = :tenant and conversation_id = :id;

-- name: drop_conversation_label
-- Labels.
delete from conversation_label where tenant = :tenant and conversation_id = :id;

-- name: left_conversation_label
-- Whether any of it is left.
select count(*) as n from conversation_label where tenant = :tenant and conversation_id = :id;

-- name: drop_scheduled_message
-- Messages of staff that waited for their moment.
delete from scheduled_message where tenant = :tenant and conversation_id = :id;

-- name: left_scheduled_message
-- Whether any of it is left.
select count(*) as n from scheduled_message where tenant = :tenant and conversation_id = :id;

-- name: drop_upload
-- Files of staff; the bytes go by the ids noted before.
delete from upload where tenant = :tenant and conversation_id = :id;

-- name: left_upload
-- Whether any of it is left.
select count(*) as n from upload where tenant = :tenant and conversation_id = :id;

-- name: drop_step
-- Tool calls with arguments and results.
delete from step where tenant = :tenant and conversation_id = :id;

-- name: left_step
-- Whether any of it is left.
select count(*) as n from step where tenant = :tenant and conversation_id = :id;

-- name: drop_draft
-- Text shown while it was being written.
delete from draft where tenant = :tenant and conversation_id = :id;

-- name: left_draft
-- Whether any of it is left.
select count(*) as n from draft where tenant = :tenant and conversation_id = :id;

-- name: drop_tool_request
-- Calls that waited for a yes.
delete from tool_request where tenant = :tenant and conversation_id = :id;

-- name: left_tool_request
-- Whether any of it is left.
select count(*) as n from tool_request where tenant = :tenant and conversation_id = :id;

-- name: drop_dialogue
-- Slots of a call that was not complete.
delete from dialogue where tenant = :tenant and conversation_id = :id;

-- name: left_dialogue
-- Whether any of it is left.
select count(*) as n from dialogue where tenant = :tenant and conversation_id = :id;

-- name: drop_verification
-- Who they proved to be.
delete from verification where tenant = :tenant and conversation_id = :id;

-- name: left_verification
-- Whether any of it is left.
select count(*) as n from verification where tenant = :tenant and conversation_id = :id;

-- name: drop_lead
-- Leads.
delete from lead where tenant = :tenant and conversation_id = :id;

-- name: left_lead
-- Whether any of it is left.
select count(*) as n from lead where tenant = :tenant and conversation_id = :id;

-- name: drop_ticket
-- Tickets.
delete from ticket where tenant = :tenant and conversation_id = :id;

-- name: left_ticket
-- Whether any of it is left.
select count(*) as n from ticket where tenant = :tenant and conversation_id = :id;

-- name: drop_tool_rate
-- How often they called tools.
delete from tool_rate where conversation_id in (select c.id from conversation c
    where c.tenant = :tenant and c.id = :id);

-- name: left_tool_rate
-- Whether any of it is left.
select count(*) as n from tool_rate where conversation_id in (select c.id from conversation c
    where c.tenant = :tenant and c.id = :id);

-- name: drop_question_miss
-- Questions nothing answered.
delete from question_miss where tenant = :tenant and conversation_id = :id;

-- name: left_question_miss
-- Whether any of it is left.
select count(*) as n from question_miss where tenant = :tenant and conversation_id = :id;

-- name: drop_turn
-- Turns with what their answers rest on.
delete from turn where tenant = :tenant and conversation_id = :id;

-- name: left_turn
-- Whether any of it is left.
select count(*) as n from turn where tenant = :tenant and conversation_id = :id;

-- name: drop_support_case
-- Episodes.
delete from support_case where tenant = :tenant and conversation_id = :id;

-- name: left_support_case
-- Whether any of it is left.
select count(*) as n from support_case where tenant = :tenant and conversation_id = :id;

-- name: drop_event
-- Events with their words.
delete from event where tenant = :tenant and conversation_id = :id;

-- name: left_event
-- Whether any of it is left.
select count(*) as n from event where tenant = :tenant and conversation_id = :id;

-- name: drop_suggestion_edit
-- Replies the model had drafted.
delete from suggestion_edit where tenant = :tenant and conversation_id = :id;

-- name: left_suggestion_edit
-- Whether any of it is left.
select count(*) as n from suggestion_edit where tenant = :tenant and conversation_id = :id;

-- name: drop_reason_ask
-- Answers of which they were asked what was wrong.
delete from reason_ask where tenant = :tenant and conversation_id = :id;

-- name: left_reason_ask
-- Whether any of it is left.
select count(*) as n from reason_ask where tenant = :tenant and conversation_id = :id;

-- name: drop_staff_act
-- What staff did in their own channel.
delete from staff_act where tenant = :tenant and conversation_id = :id;

-- name: left_staff_act
-- Whether any of it is left.
select count(*) as n from staff_act where tenant = :tenant and conversation_id = :id;

-- name: drop_staff_thread
-- The thread in the staff channel; what it shows there is the platform's.
delete from staff_thread where tenant = :tenant and conversation_id = :id;

-- name: left_staff_thread
-- Whether any of it is left.
select count(*) as n from staff_thread where tenant = :tenant and conversation_id = :id;

-- name: drop_survey
-- What they were asked when it was over, and their words.
delete from survey where tenant = :tenant and conversation_id = :id;

-- name: left_survey
-- Whether any of it is left.
select count(*) as n from survey where tenant = :tenant and conversation_id = :id;

-- name: drop_fact_answer
-- Figures of answers.
delete from fact_answer where case_id in (select f.case_id from fact_case f
    where f.tenant = :tenant and f.conversation_id = :id);

-- name: left_fact_answer
-- Whether any of it is left.
select count(*) as n from fact_answer where case_id in (select f.case_id from fact_case f
    where f.tenant = :tenant and f.conversation_id = :id);

-- name: drop_fact_span
-- Figures of waits.
delete from fact_span where case_id in (select f.case_id from fact_case f
    where f.tenant = :tenant and f.conversation_id = :id);

-- name: left_fact_span
-- Whether any of it is left.
select count(*) as n from fact_span where case_id in (select f.case_id from fact_case f
    where f.tenant = :tenant and f.conversation_id = :id);

-- name: drop_fact_case
-- Figures of episodes.
delete from fact_case where tenant = :tenant and conversation_id = :id;

-- name: left_fact_case
-- Whether any of it is left.
select count(*) as n from fact_case where tenant = :tenant and conversation_id = :id;

-- name: drop_fact_thread
-- Where folding figures stands.
delete from fact_thread where tenant = :tenant and conversation_id = :id;

-- name: left_fact_thread
-- Whether any of it is left.
select count(*) as n from fact_thread where tenant = :tenant and conversation_id = :id;

-- name: drop_gap_question
-- What they asked and nothing answered.
delete from gap_question where tenant = :tenant and conversation_id = :id;

-- name: left_gap_question
-- Whether any of it is left.
select count(*) as n from gap_question where tenant = :tenant and conversation_id = :id;

-- name: drop_sla_clock
-- Promises about their waits.
delete from sla_clock where tenant = :tenant and conversation_id = :id;

-- name: left_sla_clock
-- Whether any of it is left.
select count(*) as n from sla_clock where tenant = :tenant and conversation_id = :id;

-- name: drop_told
-- What they were told of a change of hands.
delete from told where tenant = :tenant and conversation_id = :id;

-- name: left_told
-- Whether any of it is left.
select count(*) as n from told where tenant = :tenant and conversation_id = :id;

-- name: drop_custody
-- Who held it, and the address they left.
delete from custody where tenant = :tenant and conversation_id = :id;

-- name: left_custody
-- Whether any of it is left.
select count(*) as n from custody where tenant = :tenant and conversation_id = :id;

-- name: drop_conversation_team
-- Whose team it was for.
delete from conversation_team where tenant = :tenant and conversation_id = :id;

-- name: left_conversation_team
-- Whether any of it is left.
select count(*) as n from conversation_team where tenant = :tenant and conversation_id = :id;

-- name: drop_alert
-- Waits that somebody was told of.
delete from alert where tenant = :tenant and conversation_id = :id;

-- name: left_alert
-- Whether any of it is left.
select count(*) as n from alert where tenant = :tenant and conversation_id = :id;

-- name: drop_webhook_delivery
-- What the shop's own systems were told.
delete from webhook_delivery where tenant = :tenant and body like '%' || cast(:id as text) || '%';

-- name: left_webhook_delivery
-- Whether any of it is left.
select count(*) as n from webhook_delivery where tenant = :tenant and body like '%' || cast(:id as text) || '%';

-- name: drop_item
-- Messages that wait for an answer, or to be sent.
delete from item where lane_id in (select l.id from lane l
    where l.tenant = :tenant and l.kind in ('in', 'out') and l.key = :id);

-- name: left_item
-- Whether any of it is left.
select count(*) as n from item where lane_id in (select l.id from lane l
    where l.tenant = :tenant and l.kind in ('in', 'out') and l.key = :id);

-- name: drop_lane
-- Their queues.
delete from lane where tenant = :tenant and kind in ('in', 'out') and key = :id;

-- name: left_lane
-- Whether any of it is left.
select count(*) as n from lane where tenant = :tenant and kind in ('in', 'out') and key = :id;

-- name: drop_pace
-- How fast the chat may be written to.
delete from pace where tenant = :tenant and chat <> '*' and exists (select 1 from conversation c
    where c.tenant = :tenant and c.id = :id and c.channel = pace.channel and c.account = pace.account
        and (c.address = pace.chat or c.route like '%"' || pace.chat || '"%'));

-- name: left_pace
-- Whether any of it is left.
select count(*) as n from pace where tenant = :tenant and chat <> '*' and exists (select 1 from conversation c
    where c.tenant = :tenant and c.id = :id and c.channel = pace.channel and c.account = pace.account
        and (c.address = pace.chat or c.route like '%"' || pace.chat || '"%'));

-- name: drop_message
-- What was said.
delete from message where tenant = :tenant and conversation_id = :id;

-- name: left_message
-- Whether any of it is left.
select count(*) as n from message where tenant = :tenant and conversation_id = :id;

-- name: drop_conversation
-- The conversation.
delete from conversation where tenant = :tenant and id = :id;

-- name: left_conversation
-- Whether any of it is left.
select count(*) as n from conversation where tenant = :tenant and id = :id;

-- name: drop_dataset_row
-- Their rows in datasets.
delete from dataset_row where example_id in (select e.id from example e
    where e.tenant = :tenant and (e.customer_id = :id
        or e.conversation_id in (select c.id from conversation c where c.customer_id = :id)));

-- name: left_dataset_row
-- Whether any of it is left.
select count(*) as n from dataset_row where example_id in (select e.id from example e
    where e.tenant = :tenant and (e.customer_id = :id
        or e.conversation_id in (select c.id from conversation c where c.customer_id = :id)));

-- name: drop_approval
-- Approvals of their examples.
delete from approval where example_id in (select e.id from example e
    where e.tenant = :tenant and (e.customer_id = :id
        or e.conversation_id in (select c.id from conversation c where c.customer_id = :id)));

-- name: left_approval
-- Whether any of it is left.
select count(*) as n from approval where example_id in (select e.id from example e
    where e.tenant = :tenant and (e.customer_id = :id
        or e.conversation_id in (select c.id from conversation c where c.customer_id = :id)));

-- name: drop_review
-- What was thought of their examples.
delete from review where example_id in (select e.id from example e
    where e.tenant = :tenant and (e.customer_id = :id
        or e.conversation_id in (select c.id from conversation c where c.customer_id = :id)));

-- name: left_review
-- Whether any of it is left.
select count(*) as n from review where example_id in (select e.id from example e
    where e.tenant = :tenant and (e.customer_id = :id
        or e.conversation_id in (select c.id from conversation c where c.customer_id = :id)));

-- name: drop_example
-- Their examples.
delete from example where tenant = :tenant and (customer_id = :id
    or conversation_id in (select c.id from conversation c where c.customer_id = :id));

-- name: left_example
-- Whether any of it is left.
select count(*) as n from example where tenant = :tenant and (customer_id = :id
    or conversation_id in (select c.id from conversation c where c.customer_id = :id));

-- name: drop_identity
-- Their addresses.
delete from identity where tenant = :tenant and customer_id = :id;

-- name: left_identity
-- Whether any of it is left.
select count(*) as n from identity where tenant = :tenant and customer_id = :id;

-- name: drop_customer_merge
-- Who was thought to be the same person.
delete from customer_merge where tenant = :tenant and (kept_id = :id or merged_id = :id);

-- name: left_customer_merge
-- Whether any of it is left.
select count(*) as n from customer_merge where tenant = :tenant and (kept_id = :id or merged_id = :id);

-- name: drop_customer
-- The customer.
delete from customer where tenant = :tenant and id = :id;

-- name: left_customer
-- Whether any of it is left.
select count(*) as n from customer where tenant = :tenant and id = :id;
