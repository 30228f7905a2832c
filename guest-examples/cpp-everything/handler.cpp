// Answers all nine kinds of request, and works on tasks in the background. What it says depends on the request alone, and
// is the same in each language that has an example `*-everything`.
//
// The bindings are those of C. They free what an answer holds, so all of it is allocated; what a request holds may be
// left, for it goes with the cell, or go into the answer as it is.

#include <cmath>
#include <cstdlib>
#include <new>
#include <ranges>
#include <span>
#include <string>
#include <string_view>

#include "handler.h"

using Context = taskcell_handlers_types_request_context_t;
using Error = taskcell_handlers_types_rpc_error_t;
using SamplingRequest = taskcell_handlers_types_create_message_request_t;
using SamplingResult = taskcell_handlers_types_create_message_result_t;
using SamplingContent = taskcell_handlers_types_sampling_content_t;
using ElicitRequest = taskcell_handlers_types_elicit_request_t;
using ElicitResult = taskcell_handlers_types_elicit_result_t;
using ElicitEntry = taskcell_handlers_types_elicit_entry_t;
using ElicitValue = taskcell_handlers_types_elicit_value_t;
using Schema = taskcell_handlers_types_primitive_schema_t;
using Root = taskcell_handlers_types_root_t;
using RootsResult = taskcell_handlers_types_list_roots_result_t;
using TaskMetadata = taskcell_handlers_types_task_metadata_t;
using Task = taskcell_handlers_types_task_t;
using TaskInput = taskcell_handlers_types_task_input_t;
using TaskOutput = taskcell_handlers_types_task_output_t;
using TaskResult = taskcell_handlers_types_task_result_t;
using CreateTaskResult = taskcell_handlers_types_create_task_result_t;
using ListTasksResult = taskcell_handlers_types_list_tasks_result_t;

template <class Item> static Item *allocate(size_t count)
{
    void *place = std::calloc(count ? count : 1, sizeof(Item));
    if (!place)
        std::abort();
    return new (place) Item[count]{};
}

static std::string_view view(const handler_string_t &text) { return {reinterpret_cast<char *>(text.ptr), text.len}; }

static handler_string_t copy(std::string_view text)
{
    handler_string_t copied;
    handler_string_dup_n(&copied, text.data(), text.size());
    return copied;
}

// The items of a list of the bindings, for loops.
static auto items(const auto &list) { return std::span(list.ptr, list.len); }

static bool refuse(Error &error, std::string_view message)
{
    error = {.code = -1, .message = copy(message), .data = {}};
    return false;
}

// ---- Sampling: the last text of the user says what is answered ----

// The last text in the last message of the user; empty when there is none.
static std::string_view last_user_text(const SamplingRequest &request)
{
    for (const auto &message : items(request.messages) | std::views::reverse) {
        if (message.role != TASKCELL_HANDLERS_TYPES_ROLE_USER)
            continue;
        for (const auto &content : items(message.content) | std::views::reverse)
            if (content.tag == TASKCELL_HANDLERS_TYPES_SAMPLING_CONTENT_TEXT)
                return view(content.val.text.text);
        break;
    }
    return {};
}

// Answers with one piece of content, or with none.
static bool say(SamplingResult &result, const SamplingContent *content, std::string_view stop_reason)
{
    result = {
        .role = TASKCELL_HANDLERS_TYPES_ROLE_ASSISTANT,
        .content = {},
        .model = copy("everything"),
        .stop_reason = {true, copy(stop_reason)},
        .meta = {},
    };
    if (content) {
        result.content = {allocate<SamplingContent>(1), 1};
        *result.content.ptr = *content;
    }
    return true;
}

static bool say_image(const SamplingRequest &request, SamplingResult &result)
{
    for (const auto &message : items(request.messages))
        for (const auto &content : items(message.content))
            if (content.tag == TASKCELL_HANDLERS_TYPES_SAMPLING_CONTENT_IMAGE)
                return say(result, &content, "endTurn");
    return say(result, nullptr, "endTurn");
}

static bool say_tool(const SamplingRequest &request, SamplingResult &result)
{
    if (!request.tools.is_some || !request.tools.val.len)
        return say(result, nullptr, "toolUse");
    SamplingContent content{.tag = TASKCELL_HANDLERS_TYPES_SAMPLING_CONTENT_TOOL_USE, .val = {}};
    content.val.tool_use = {copy("call-1"), request.tools.val.ptr->name, copy(R"({"n":1})"), {}};
    return say(result, &content, "toolUse");
}

static bool say_text(const SamplingRequest &request, std::string_view said, SamplingResult &result)
{
    auto text = std::to_string(request.messages.len) + " messages, at most " + std::to_string(request.max_tokens)
        + " tokens: ";
    text += said;
    if (request.temperature.is_some)
        text += " at " + std::to_string(std::llround(request.temperature.val * 100));
    SamplingContent content{.tag = TASKCELL_HANDLERS_TYPES_SAMPLING_CONTENT_TEXT, .val = {}};
    content.val.text.text = copy(text);
    return say(result, &content, "endTurn");
}

// The answer to a request, plain or as the work of a task.
static bool answer(SamplingRequest &request, SamplingResult &result, Error &error)
{
    const auto said = last_user_text(request);
    if (said == "reject") {
        refuse(error, "User rejected sampling request");
        error.data = {true, copy(R"({"by":"everything"})")};
        return false;
    }
    if (said == "trap")
        std::abort();
    if (said.starts_with("ask"))
        return taskcell_handlers_model_create_message(&request, &result, &error);
    if (said == "image")
        return say_image(request, result);
    if (said == "tool")
        return say_tool(request, result);
    return say_text(request, said, result);
}

bool exports_taskcell_handlers_sampling_handle(Context *, SamplingRequest *request, SamplingResult *result,
                                               Error *error)
{
    return answer(*request, *result, *error);
}

// ---- Elicitation: the message says what is done, and a form is filled from its schema ----

// A field's default, else its first choice; false where there is neither.
static bool choose(ElicitValue &value, const auto &schema, const handler_string_t *first)
{
    value = {.tag = TASKCELL_HANDLERS_TYPES_ELICIT_VALUE_TEXT, .val = {}};
    if (schema.default_.is_some)
        value.val.text = schema.default_.val;
    else if (first)
        value.val.text = copy(view(*first));
    return schema.default_.is_some || first;
}

// A field's default, else a list of its first choice.
static bool choose_several(ElicitValue &value, const auto &schema, const handler_string_t *first)
{
    value = {.tag = TASKCELL_HANDLERS_TYPES_ELICIT_VALUE_TEXT_LIST, .val = {}};
    if (schema.default_.is_some) {
        value.val.text_list = schema.default_.val;
    } else if (first) {
        value.val.text_list = {allocate<handler_string_t>(1), 1};
        *value.val.text_list.ptr = copy(view(*first));
    }
    return true;
}

static const handler_string_t *first(const handler_list_string_t &values) { return values.len ? values.ptr : nullptr; }

static const handler_string_t *first(const taskcell_handlers_types_list_enum_option_t &options)
{
    return options.len ? &options.ptr->value : nullptr;
}

static bool number(ElicitValue &value, const auto &schema, double otherwise)
{
    value = {.tag = TASKCELL_HANDLERS_TYPES_ELICIT_VALUE_NUMBER, .val = {}};
    value.val.number = schema.default_.is_some ? schema.default_.val : otherwise;
    return true;
}

// The field's default, else something of its type; false where the type is not known or there is no choice.
static bool fill(ElicitValue &value, const Schema &schema)
{
    switch (const auto &of = schema.val; schema.tag) {
    case TASKCELL_HANDLERS_TYPES_PRIMITIVE_SCHEMA_TEXT: {
        const auto text = copy("text");
        return choose(value, of.text, &text);
    }
    case TASKCELL_HANDLERS_TYPES_PRIMITIVE_SCHEMA_NUMBER:
        return number(value, of.number, 1.5);
    case TASKCELL_HANDLERS_TYPES_PRIMITIVE_SCHEMA_INTEGER:
        return number(value, of.integer, 3);
    case TASKCELL_HANDLERS_TYPES_PRIMITIVE_SCHEMA_BOOLEAN:
        value = {.tag = TASKCELL_HANDLERS_TYPES_ELICIT_VALUE_BOOLEAN, .val = {}};
        value.val.boolean = !of.boolean.default_.is_some || of.boolean.default_.val;
        return true;
    case TASKCELL_HANDLERS_TYPES_PRIMITIVE_SCHEMA_UNTITLED_SINGLE_SELECT:
        return choose(value, of.untitled_single_select, first(of.untitled_single_select.values));
    case TASKCELL_HANDLERS_TYPES_PRIMITIVE_SCHEMA_TITLED_SINGLE_SELECT:
        return choose(value, of.titled_single_select, first(of.titled_single_select.options));
    case TASKCELL_HANDLERS_TYPES_PRIMITIVE_SCHEMA_LEGACY_TITLED_ENUM:
        return choose(value, of.legacy_titled_enum, first(of.legacy_titled_enum.values));
    case TASKCELL_HANDLERS_TYPES_PRIMITIVE_SCHEMA_UNTITLED_MULTI_SELECT:
        return choose_several(value, of.untitled_multi_select, first(of.untitled_multi_select.values));
    case TASKCELL_HANDLERS_TYPES_PRIMITIVE_SCHEMA_TITLED_MULTI_SELECT:
        return choose_several(value, of.titled_multi_select, first(of.titled_multi_select.options));
    default:
        return false;
    }
}

// The answer to a request, plain or as the work of a task.
static bool answer(ElicitRequest &request, ElicitResult &result, Error &error)
{
    const bool is_form = request.tag == TASKCELL_HANDLERS_TYPES_ELICIT_REQUEST_FORM;
    const auto message = view(is_form ? request.val.form.message : request.val.url.message);
    if (message == "reject")
        return refuse(error, "User rejected elicitation request");
    if (message == "trap")
        std::abort();
    if (message.starts_with("ask"))
        return taskcell_handlers_user_elicit(&request, &result, &error);
    result = {.action = {.tag = TASKCELL_HANDLERS_TYPES_ELICIT_ACTION_ACCEPT, .val = {}}, .meta = {}};
    if (message == "decline") {
        result.action.tag = TASKCELL_HANDLERS_TYPES_ELICIT_ACTION_DECLINE;
    } else if (message == "cancel") {
        result.action.tag = TASKCELL_HANDLERS_TYPES_ELICIT_ACTION_CANCEL;
    } else if (is_form) {
        const auto &fields = request.val.form.requested_schema.properties;
        auto &entries = result.action.val.accept.val;
        result.action.val.accept.is_some = true;
        entries.ptr = allocate<ElicitEntry>(fields.len);
        for (const auto &field : items(fields))
            if (fill(entries.ptr[entries.len].value, field.schema))
                entries.ptr[entries.len++].name = field.name;
    }
    return true;
}

bool exports_taskcell_handlers_elicitation_handle(Context *, ElicitRequest *request, ElicitResult *result, Error *error)
{
    return answer(*request, *result, *error);
}

// ---- Roots ----

bool exports_taskcell_handlers_roots_handle(Context *, RootsResult *result, Error *)
{
    *result = {.roots = {allocate<Root>(2), 2}, .meta = {}};
    result->roots.ptr[0] = {.uri = copy("file:///everything"), .name = {true, copy("everything")}, .meta = {}};
    result->roots.ptr[1] = {.uri = copy("file:///tmp/%C3%A9"), .name = {}, .meta = {}};
    return true;
}

// ---- Tasks: made here, kept by the host, worked on in the background ----

// Makes a task and hands its work to the background.
static bool begin(TaskMetadata *metadata, TaskInput input, CreateTaskResult *result, Error *error)
{
    taskcell_handlers_tasks_task_options_t options{.poll_interval = {true, 100}, .status_message = {true, copy("begun")}};
    result->meta = {};
    return taskcell_handlers_tasks_create(metadata, &options, &result->task, error)
        && taskcell_handlers_tasks_spawn(&result->task.task_id, &input, error);
}

bool exports_taskcell_handlers_augmented_sampling_handle(Context *, TaskMetadata *task, SamplingRequest *request,
                                                         CreateTaskResult *result, Error *error)
{
    return begin(task, {.tag = TASKCELL_HANDLERS_TYPES_TASK_INPUT_SAMPLING, .val = {.sampling = *request}}, result, error);
}

bool exports_taskcell_handlers_augmented_elicitation_handle(Context *, TaskMetadata *task, ElicitRequest *request,
                                                            CreateTaskResult *result, Error *error)
{
    return begin(task, {.tag = TASKCELL_HANDLERS_TYPES_TASK_INPUT_ELICITATION, .val = {.elicitation = *request}}, result,
                 error);
}

bool exports_taskcell_handlers_background_run(Context *, Task *, TaskInput *input, TaskOutput *output, Error *error)
{
    double total = 2;
    auto half = copy("half");
    taskcell_handlers_progress_report(1, &total, &half);
    output->tag = input->tag;
    switch (input->tag) {
    case TASKCELL_HANDLERS_TYPES_TASK_INPUT_SAMPLING:
        return answer(input->val.sampling, output->val.sampling, *error);
    case TASKCELL_HANDLERS_TYPES_TASK_INPUT_ELICITATION:
        return answer(input->val.elicitation, output->val.elicitation, *error);
    default:
        output->val.custom = input->val.custom;
        return true;
    }
}

bool exports_taskcell_handlers_get_task_handle(Context *, handler_string_t *task_id, TaskResult *result, Error *error)
{
    result->meta = {};
    return taskcell_handlers_tasks_get(task_id, &result->task, error);
}

bool exports_taskcell_handlers_get_task_result_handle(Context *, handler_string_t *task_id, TaskOutput *output,
                                                      Error *error)
{
    return taskcell_handlers_tasks_wait_for_result(task_id, output, error);
}

bool exports_taskcell_handlers_list_tasks_handle(Context *, handler_string_t *maybe_cursor, ListTasksResult *result,
                                                 Error *error)
{
    return taskcell_handlers_tasks_list(maybe_cursor, result, error);
}

bool exports_taskcell_handlers_cancel_task_handle(Context *, handler_string_t *task_id, TaskResult *result, Error *error)
{
    result->meta = {};
    return taskcell_handlers_tasks_cancel(task_id, &result->task, error);
}
