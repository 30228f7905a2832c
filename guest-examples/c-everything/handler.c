// Answers all nine kinds of request, and works on tasks in the background. What it says depends on the request alone, and
// is the same in each language that has an example `*-everything`.
//
// The bindings free what an answer holds, so all of it is allocated; what a request holds may be left, for it goes with
// the cell. What a request holds may also go into the answer as it is.

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "handler.h"

typedef taskcell_handlers_types_request_context_t context_t;
typedef taskcell_handlers_types_rpc_error_t error_t;
typedef taskcell_handlers_types_create_message_request_t sampling_request_t;
typedef taskcell_handlers_types_create_message_result_t sampling_result_t;
typedef taskcell_handlers_types_sampling_content_t content_t;
typedef taskcell_handlers_types_sampling_message_t message_t;
typedef taskcell_handlers_types_elicit_request_t elicit_request_t;
typedef taskcell_handlers_types_elicit_result_t elicit_result_t;
typedef taskcell_handlers_types_elicit_entry_t entry_t;
typedef taskcell_handlers_types_elicit_value_t value_t;
typedef taskcell_handlers_types_schema_property_t property_t;
typedef taskcell_handlers_types_task_metadata_t metadata_t;
typedef taskcell_handlers_types_task_input_t input_t;
typedef taskcell_handlers_types_task_output_t output_t;
typedef taskcell_handlers_types_create_task_result_t create_task_result_t;
typedef taskcell_handlers_types_task_result_t task_result_t;
typedef taskcell_handlers_types_list_tasks_result_t list_tasks_result_t;
typedef taskcell_handlers_types_list_roots_result_t roots_result_t;

static void *allocate(size_t count, size_t size)
{
    void *place = calloc(count ? count : 1, size);
    if (!place)
        abort();
    return place;
}

static handler_string_t copy(const char *text)
{
    handler_string_t copied;
    handler_string_dup(&copied, text);
    return copied;
}

static bool is(handler_string_t text, const char *word)
{
    return text.len == strlen(word) && !memcmp(text.ptr, word, text.len);
}

static bool begins(handler_string_t text, const char *word)
{
    return text.len >= strlen(word) && !memcmp(text.ptr, word, strlen(word));
}

static bool refuse(error_t *error, int32_t code, const char *message)
{
    *error = (error_t){ .code = code, .message = copy(message) };
    return false;
}

// ---- Sampling: the last text of the user says what is answered ----

// The last text in the last message of the user; empty when there is none.
static handler_string_t last_user_text(const sampling_request_t *request)
{
    for (size_t i = request->messages.len; i-- > 0;) {
        const message_t *message = &request->messages.ptr[i];
        if (message->role != TASKCELL_HANDLERS_TYPES_ROLE_USER)
            continue;
        for (size_t j = message->content.len; j-- > 0;)
            if (message->content.ptr[j].tag == TASKCELL_HANDLERS_TYPES_SAMPLING_CONTENT_TEXT)
                return message->content.ptr[j].val.text.text;
        break;
    }
    return (handler_string_t){ (uint8_t *)"", 0 };
}

// Answers with one piece of content, or with none.
static bool say(sampling_result_t *result, const content_t *content, const char *stop_reason)
{
    *result = (sampling_result_t){ .role = TASKCELL_HANDLERS_TYPES_ROLE_ASSISTANT, .model = copy("everything") };
    result->stop_reason.is_some = true;
    result->stop_reason.val = copy(stop_reason);
    if (content) {
        result->content.ptr = allocate(1, sizeof *content);
        result->content.ptr[0] = *content;
        result->content.len = 1;
    }
    return true;
}

static bool say_image(const sampling_request_t *request, sampling_result_t *result)
{
    for (size_t i = 0; i < request->messages.len; i++) {
        const message_t *message = &request->messages.ptr[i];
        for (size_t j = 0; j < message->content.len; j++)
            if (message->content.ptr[j].tag == TASKCELL_HANDLERS_TYPES_SAMPLING_CONTENT_IMAGE)
                return say(result, &message->content.ptr[j], "endTurn");
    }
    return say(result, NULL, "endTurn");
}

static bool say_tool(const sampling_request_t *request, sampling_result_t *result)
{
    if (!request->tools.is_some || !request->tools.val.len)
        return say(result, NULL, "toolUse");
    content_t content = { .tag = TASKCELL_HANDLERS_TYPES_SAMPLING_CONTENT_TOOL_USE };
    content.val.tool_use.id = copy("call-1");
    content.val.tool_use.name = request->tools.val.ptr[0].name;
    content.val.tool_use.input = copy("{\"n\":1}");
    return say(result, &content, "toolUse");
}

static bool say_text(const sampling_request_t *request, handler_string_t said, sampling_result_t *result)
{
    char before[64], after[32] = "";
    size_t first = snprintf(before, sizeof before, "%zu messages, at most %u tokens: ", request->messages.len,
                            (unsigned)request->max_tokens);
    if (request->temperature.is_some)
        snprintf(after, sizeof after, " at %.0f", round(request->temperature.val * 100));
    content_t content = { .tag = TASKCELL_HANDLERS_TYPES_SAMPLING_CONTENT_TEXT };
    handler_string_t *text = &content.val.text.text;
    text->len = first + said.len + strlen(after);
    text->ptr = allocate(1, text->len);
    memcpy(text->ptr, before, first);
    memcpy(text->ptr + first, said.ptr, said.len);
    memcpy(text->ptr + first + said.len, after, strlen(after));
    return say(result, &content, "endTurn");
}

// The answer to a request, plain or as the work of a task.
static bool answer_sampling(sampling_request_t *request, sampling_result_t *result, error_t *error)
{
    handler_string_t said = last_user_text(request);
    if (is(said, "reject")) {
        refuse(error, -1, "User rejected sampling request");
        error->data.is_some = true;
        error->data.val = copy("{\"by\":\"everything\"}");
        return false;
    }
    if (is(said, "trap"))
        abort();
    if (begins(said, "ask"))
        return taskcell_handlers_model_create_message(request, result, error);
    if (is(said, "image"))
        return say_image(request, result);
    if (is(said, "tool"))
        return say_tool(request, result);
    return say_text(request, said, result);
}

bool exports_taskcell_handlers_sampling_handle(context_t *context, sampling_request_t *request,
                                               sampling_result_t *result, error_t *error)
{
    (void)context;
    return answer_sampling(request, result, error);
}

// ---- Elicitation: the message says what is done, and a form is filled from its schema ----

static bool fill_text(value_t *value, const handler_option_string_t *or, const handler_string_t *first)
{
    *value = (value_t){ .tag = TASKCELL_HANDLERS_TYPES_ELICIT_VALUE_TEXT };
    if (or->is_some)
        value->val.text = or->val;
    else if (first)
        handler_string_dup_n(&value->val.text, (char *)first->ptr, first->len);
    return or->is_some || first;
}

static bool fill_list(value_t *value, const handler_option_list_string_t *or, const handler_string_t *first)
{
    *value = (value_t){ .tag = TASKCELL_HANDLERS_TYPES_ELICIT_VALUE_TEXT_LIST };
    if (or->is_some) {
        value->val.text_list = or->val;
    } else if (first) {
        value->val.text_list.ptr = allocate(1, sizeof *first);
        value->val.text_list.len = 1;
        handler_string_dup_n(value->val.text_list.ptr, (char *)first->ptr, first->len);
    }
    return true;
}

static const handler_string_t *first_value(const handler_list_string_t *values)
{
    return values->len ? values->ptr : NULL;
}

static const handler_string_t *first_option(const taskcell_handlers_types_list_enum_option_t *options)
{
    return options->len ? &options->ptr->value : NULL;
}

static bool fill_number(value_t *value, const handler_option_f64_t *or, double otherwise)
{
    *value = (value_t){ .tag = TASKCELL_HANDLERS_TYPES_ELICIT_VALUE_NUMBER };
    value->val.number = or->is_some ? or->val : otherwise;
    return true;
}

// The field's default, else something of its type; false where the type is not known or there is no choice.
static bool fill(value_t *value, const taskcell_handlers_types_primitive_schema_t *schema)
{
    static const handler_string_t text = { (uint8_t *)"text", 4 };
    switch (schema->tag) {
    case TASKCELL_HANDLERS_TYPES_PRIMITIVE_SCHEMA_TEXT:
        return fill_text(value, &schema->val.text.default_, &text);
    case TASKCELL_HANDLERS_TYPES_PRIMITIVE_SCHEMA_NUMBER:
        return fill_number(value, &schema->val.number.default_, 1.5);
    case TASKCELL_HANDLERS_TYPES_PRIMITIVE_SCHEMA_INTEGER:
        return fill_number(value, &schema->val.integer.default_, 3);
    case TASKCELL_HANDLERS_TYPES_PRIMITIVE_SCHEMA_BOOLEAN:
        *value = (value_t){ .tag = TASKCELL_HANDLERS_TYPES_ELICIT_VALUE_BOOLEAN };
        value->val.boolean = !schema->val.boolean.default_.is_some || schema->val.boolean.default_.val;
        return true;
    case TASKCELL_HANDLERS_TYPES_PRIMITIVE_SCHEMA_UNTITLED_SINGLE_SELECT:
        return fill_text(value, &schema->val.untitled_single_select.default_,
                         first_value(&schema->val.untitled_single_select.values));
    case TASKCELL_HANDLERS_TYPES_PRIMITIVE_SCHEMA_TITLED_SINGLE_SELECT:
        return fill_text(value, &schema->val.titled_single_select.default_,
                         first_option(&schema->val.titled_single_select.options));
    case TASKCELL_HANDLERS_TYPES_PRIMITIVE_SCHEMA_LEGACY_TITLED_ENUM:
        return fill_text(value, &schema->val.legacy_titled_enum.default_,
                         first_value(&schema->val.legacy_titled_enum.values));
    case TASKCELL_HANDLERS_TYPES_PRIMITIVE_SCHEMA_UNTITLED_MULTI_SELECT:
        return fill_list(value, &schema->val.untitled_multi_select.default_,
                         first_value(&schema->val.untitled_multi_select.values));
    case TASKCELL_HANDLERS_TYPES_PRIMITIVE_SCHEMA_TITLED_MULTI_SELECT:
        return fill_list(value, &schema->val.titled_multi_select.default_,
                         first_option(&schema->val.titled_multi_select.options));
    default:
        return false;
    }
}

// The answer to a request, plain or as the work of a task.
static bool answer_elicitation(elicit_request_t *request, elicit_result_t *result, error_t *error)
{
    bool is_form = request->tag == TASKCELL_HANDLERS_TYPES_ELICIT_REQUEST_FORM;
    handler_string_t message = is_form ? request->val.form.message : request->val.url.message;
    if (is(message, "reject"))
        return refuse(error, -1, "User rejected elicitation request");
    if (is(message, "trap"))
        abort();
    if (begins(message, "ask"))
        return taskcell_handlers_user_elicit(request, result, error);
    *result = (elicit_result_t){ .action.tag = TASKCELL_HANDLERS_TYPES_ELICIT_ACTION_ACCEPT };
    if (is(message, "decline")) {
        result->action.tag = TASKCELL_HANDLERS_TYPES_ELICIT_ACTION_DECLINE;
    } else if (is(message, "cancel")) {
        result->action.tag = TASKCELL_HANDLERS_TYPES_ELICIT_ACTION_CANCEL;
    } else if (is_form) {
        taskcell_handlers_types_list_schema_property_t fields = request->val.form.requested_schema.properties;
        taskcell_handlers_types_list_elicit_entry_t *entries = &result->action.val.accept.val;
        result->action.val.accept.is_some = true;
        entries->ptr = allocate(fields.len, sizeof *entries->ptr);
        for (property_t *field = fields.ptr; field < fields.ptr + fields.len; field++)
            if (fill(&entries->ptr[entries->len].value, &field->schema))
                entries->ptr[entries->len++].name = field->name;
    }
    return true;
}

bool exports_taskcell_handlers_elicitation_handle(context_t *context, elicit_request_t *request,
                                                  elicit_result_t *result, error_t *error)
{
    (void)context;
    return answer_elicitation(request, result, error);
}

// ---- Roots ----

bool exports_taskcell_handlers_roots_handle(context_t *context, roots_result_t *result, error_t *error)
{
    (void)context, (void)error;
    *result = (roots_result_t){ .roots = { allocate(2, sizeof *result->roots.ptr), 2 } };
    result->roots.ptr[0].uri = copy("file:///everything");
    result->roots.ptr[0].name.is_some = true;
    result->roots.ptr[0].name.val = copy("everything");
    result->roots.ptr[1].uri = copy("file:///tmp/%C3%A9");
    return true;
}

// ---- Tasks: made here, kept by the host, worked on in the background ----

// Makes a task and hands its work to the background.
static bool begin(metadata_t *metadata, input_t *input, create_task_result_t *result, error_t *error)
{
    taskcell_handlers_tasks_task_options_t options = { .poll_interval = { true, 100 }, .status_message = { .is_some = true } };
    handler_string_set(&options.status_message.val, "begun");
    *result = (create_task_result_t){ 0 };
    return taskcell_handlers_tasks_create(metadata, &options, &result->task, error)
        && taskcell_handlers_tasks_spawn(&result->task.task_id, input, error);
}

bool exports_taskcell_handlers_augmented_sampling_handle(context_t *context, metadata_t *task,
                                                         sampling_request_t *request, create_task_result_t *result,
                                                         error_t *error)
{
    (void)context;
    input_t input = { .tag = TASKCELL_HANDLERS_TYPES_TASK_INPUT_SAMPLING, .val.sampling = *request };
    return begin(task, &input, result, error);
}

bool exports_taskcell_handlers_augmented_elicitation_handle(context_t *context, metadata_t *task,
                                                            elicit_request_t *request, create_task_result_t *result,
                                                            error_t *error)
{
    (void)context;
    input_t input = { .tag = TASKCELL_HANDLERS_TYPES_TASK_INPUT_ELICITATION, .val.elicitation = *request };
    return begin(task, &input, result, error);
}

bool exports_taskcell_handlers_background_run(context_t *context, taskcell_handlers_types_task_t *task, input_t *input,
                                              output_t *output, error_t *error)
{
    (void)context, (void)task;
    double total = 2;
    handler_string_t half;
    handler_string_set(&half, "half");
    taskcell_handlers_progress_report(1, &total, &half);
    *output = (output_t){ .tag = input->tag };
    switch (input->tag) {
    case TASKCELL_HANDLERS_TYPES_TASK_INPUT_SAMPLING:
        return answer_sampling(&input->val.sampling, &output->val.sampling, error);
    case TASKCELL_HANDLERS_TYPES_TASK_INPUT_ELICITATION:
        return answer_elicitation(&input->val.elicitation, &output->val.elicitation, error);
    default:
        output->val.custom = input->val.custom;
        return true;
    }
}

bool exports_taskcell_handlers_get_task_handle(context_t *context, handler_string_t *task_id, task_result_t *result,
                                               error_t *error)
{
    (void)context;
    result->meta.is_some = false;
    return taskcell_handlers_tasks_get(task_id, &result->task, error);
}

bool exports_taskcell_handlers_get_task_result_handle(context_t *context, handler_string_t *task_id, output_t *output,
                                                      error_t *error)
{
    (void)context;
    return taskcell_handlers_tasks_wait_for_result(task_id, output, error);
}

bool exports_taskcell_handlers_list_tasks_handle(context_t *context, handler_string_t *maybe_cursor,
                                                 list_tasks_result_t *result, error_t *error)
{
    (void)context;
    return taskcell_handlers_tasks_list(maybe_cursor, result, error);
}

bool exports_taskcell_handlers_cancel_task_handle(context_t *context, handler_string_t *task_id, task_result_t *result,
                                                  error_t *error)
{
    (void)context;
    result->meta.is_some = false;
    return taskcell_handlers_tasks_cancel(task_id, &result->task, error);
}
