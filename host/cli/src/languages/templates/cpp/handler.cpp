// A handler: it answers what an MCP server asks of its client.
//
// The bindings are those of C. They free what an answer holds, so all of it is allocated; what a request holds may be
// left, for it goes with the cell.

#include <cstdlib>
#include <new>
#include <span>
#include <string_view>

#include "handler.h"

using Context = taskcell_handlers_types_request_context_t;
using Error = taskcell_handlers_types_rpc_error_t;
//[[ sampling augmented-sampling
using SamplingRequest = taskcell_handlers_types_create_message_request_t;
using SamplingResult = taskcell_handlers_types_create_message_result_t;
using SamplingContent = taskcell_handlers_types_sampling_content_t;
//]]
//[[ elicitation augmented-elicitation
using ElicitRequest = taskcell_handlers_types_elicit_request_t;
using ElicitResult = taskcell_handlers_types_elicit_result_t;
//]]
//[[ roots
using Root = taskcell_handlers_types_root_t;
using RootsResult = taskcell_handlers_types_list_roots_result_t;
//]]
//[[ background
using Task = taskcell_handlers_types_task_t;
using TaskMetadata = taskcell_handlers_types_task_metadata_t;
using TaskInput = taskcell_handlers_types_task_input_t;
using CreateTaskResult = taskcell_handlers_types_create_task_result_t;
//]]
//[[ background get-task-result
using TaskOutput = taskcell_handlers_types_task_output_t;
//]]
//[[ get-task cancel-task
using TaskResult = taskcell_handlers_types_task_result_t;
//]]
//[[ list-tasks
using ListTasksResult = taskcell_handlers_types_list_tasks_result_t;
//]]

//[[ sampling augmented-sampling roots background
static handler_string_t copy(std::string_view text, std::string_view more = {})
{
    auto *place = static_cast<char *>(std::malloc(text.size() + more.size()));
    if (!place)
        std::abort();
    more.copy(place + text.copy(place, text.size()), more.size());
    return {reinterpret_cast<uint8_t *>(place), text.size() + more.size()};
}

//]]
//[[ sampling augmented-sampling roots
template <class Item> static Item *allocated(const Item &item)
{
    void *place = std::malloc(sizeof item);
    if (!place)
        std::abort();
    return new (place) Item(item);
}

//]]
//[[ sampling augmented-sampling
// Quotes the last thing that the user said.
static bool answer(const SamplingRequest &request, SamplingResult &result)
{
    std::string_view said;
    for (const auto &message : std::span(request.messages.ptr, request.messages.len))
        for (const auto &content : std::span(message.content.ptr, message.content.len))
            if (message.role == TASKCELL_HANDLERS_TYPES_ROLE_USER
                && content.tag == TASKCELL_HANDLERS_TYPES_SAMPLING_CONTENT_TEXT)
                said = {reinterpret_cast<const char *>(content.val.text.text.ptr), content.val.text.text.len};
    SamplingContent content{.tag = TASKCELL_HANDLERS_TYPES_SAMPLING_CONTENT_TEXT, .val = {}};
    content.val.text.text = copy("You said: ", said);
    result = {
        .role = TASKCELL_HANDLERS_TYPES_ROLE_ASSISTANT,
        .content = {allocated(content), 1},
        .model = copy("fixed"),
        .stop_reason = {true, copy("endTurn")},
        .meta = {},
    };
    return true;
}

//]]
//[[ sampling
bool exports_taskcell_handlers_sampling_handle(Context *, SamplingRequest *request, SamplingResult *result, Error *)
{
    return answer(*request, *result);
}

//]]
//[[ elicitation augmented-elicitation
// Says no. To ask the person at the client, import `user` and call `taskcell_handlers_user_elicit`.
static bool ask(const ElicitRequest &, ElicitResult &result)
{
    result = {.action = {.tag = TASKCELL_HANDLERS_TYPES_ELICIT_ACTION_DECLINE, .val = {}}, .meta = {}};
    return true;
}

//]]
//[[ elicitation
bool exports_taskcell_handlers_elicitation_handle(Context *, ElicitRequest *request, ElicitResult *result, Error *)
{
    return ask(*request, *result);
}

//]]
//[[ roots
bool exports_taskcell_handlers_roots_handle(Context *, RootsResult *result, Error *)
{
    Root root{.uri = copy("file:///workspace"), .name = {true, copy("workspace")}, .meta = {}};
    *result = {.roots = {allocated(root), 1}, .meta = {}};
    return true;
}

//]]
//[[ background
// Makes a task whose work `background` does once this answer is out.
static bool start(TaskMetadata *metadata, TaskInput input, CreateTaskResult *result, Error *error)
{
    taskcell_handlers_tasks_task_options_t options{};
    result->meta = {};
    return taskcell_handlers_tasks_create(metadata, &options, &result->task, error)
        && taskcell_handlers_tasks_spawn(&result->task.task_id, &input, error);
}

bool exports_taskcell_handlers_background_run(Context *, Task *, TaskInput *input, TaskOutput *output, Error *error)
{
    output->tag = input->tag;
    switch (input->tag) {
    //[[ augmented-sampling
    case TASKCELL_HANDLERS_TYPES_TASK_INPUT_SAMPLING:
        return answer(input->val.sampling, output->val.sampling);
    //]]
    //[[ augmented-elicitation
    case TASKCELL_HANDLERS_TYPES_TASK_INPUT_ELICITATION:
        return ask(input->val.elicitation, output->val.elicitation);
    //]]
    default:
        *error = {.code = -32603, .message = copy("No such work is spawned"), .data = {}};
        return false;
    }
}

//]]
//[[ augmented-sampling
bool exports_taskcell_handlers_augmented_sampling_handle(Context *, TaskMetadata *task,
                                                         SamplingRequest *request,
                                                         CreateTaskResult *result, Error *error)
{
    return start(task, {.tag = TASKCELL_HANDLERS_TYPES_TASK_INPUT_SAMPLING, .val = {.sampling = *request}}, result, error);
}

//]]
//[[ augmented-elicitation
bool exports_taskcell_handlers_augmented_elicitation_handle(Context *, TaskMetadata *task,
                                                            ElicitRequest *request,
                                                            CreateTaskResult *result, Error *error)
{
    return start(task, {.tag = TASKCELL_HANDLERS_TYPES_TASK_INPUT_ELICITATION, .val = {.elicitation = *request}}, result,
                 error);
}

//]]
//[[ get-task
bool exports_taskcell_handlers_get_task_handle(Context *, handler_string_t *task_id, TaskResult *result, Error *error)
{
    result->meta = {};
    return taskcell_handlers_tasks_get(task_id, &result->task, error);
}

//]]
//[[ get-task-result
bool exports_taskcell_handlers_get_task_result_handle(Context *, handler_string_t *task_id, TaskOutput *output,
                                                      Error *error)
{
    return taskcell_handlers_tasks_wait_for_result(task_id, output, error);
}

//]]
//[[ list-tasks
bool exports_taskcell_handlers_list_tasks_handle(Context *, handler_string_t *maybe_cursor, ListTasksResult *result,
                                                 Error *error)
{
    return taskcell_handlers_tasks_list(maybe_cursor, result, error);
}

//]]
//[[ cancel-task
bool exports_taskcell_handlers_cancel_task_handle(Context *, handler_string_t *task_id, TaskResult *result, Error *error)
{
    result->meta = {};
    return taskcell_handlers_tasks_cancel(task_id, &result->task, error);
}
//]]
