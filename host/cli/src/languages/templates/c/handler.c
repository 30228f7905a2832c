// A handler: it answers what an MCP server asks of its client.
//
// The bindings free what an answer holds, so all of it is allocated. What a request holds may be left: it goes with the
// cell.

#include <stdlib.h>
#include <string.h>

#include "handler.h"

//[[ sampling augmented-sampling
static handler_string_t join(const char *before, handler_string_t after)
{
    size_t len = strlen(before);
    handler_string_t text = { malloc(len + after.len), len + after.len };
    if (!text.ptr)
        abort();
    memcpy(text.ptr, before, len);
    memcpy(text.ptr + len, after.ptr, after.len);
    return text;
}

// Quotes the last thing that the user said.
static bool answer(taskcell_handlers_types_create_message_request_t *request,
                   taskcell_handlers_types_create_message_result_t *result)
{
    handler_string_t said = { (uint8_t *)"", 0 };
    for (size_t i = 0; i < request->messages.len; i++) {
        taskcell_handlers_types_sampling_message_t *message = &request->messages.ptr[i];
        for (size_t j = 0; message->role == TASKCELL_HANDLERS_TYPES_ROLE_USER && j < message->content.len; j++)
            if (message->content.ptr[j].tag == TASKCELL_HANDLERS_TYPES_SAMPLING_CONTENT_TEXT)
                said = message->content.ptr[j].val.text.text;
    }
    taskcell_handlers_types_sampling_content_t *content = calloc(1, sizeof *content);
    if (!content)
        abort();
    content->tag = TASKCELL_HANDLERS_TYPES_SAMPLING_CONTENT_TEXT;
    content->val.text.text = join("You said: ", said);
    *result = (taskcell_handlers_types_create_message_result_t){
        .role = TASKCELL_HANDLERS_TYPES_ROLE_ASSISTANT,
        .content = { content, 1 },
        .stop_reason.is_some = true,
    };
    handler_string_dup(&result->model, "fixed");
    handler_string_dup(&result->stop_reason.val, "endTurn");
    return true;
}

//]]
//[[ sampling
bool exports_taskcell_handlers_sampling_handle(taskcell_handlers_types_request_context_t *context,
                                               taskcell_handlers_types_create_message_request_t *request,
                                               taskcell_handlers_types_create_message_result_t *result,
                                               taskcell_handlers_types_rpc_error_t *error)
{
    (void)context, (void)error;
    return answer(request, result);
}

//]]
//[[ elicitation augmented-elicitation
// Says no. To ask the person at the client, import `user` and call `taskcell_handlers_user_elicit`.
static bool ask(taskcell_handlers_types_elicit_request_t *request, taskcell_handlers_types_elicit_result_t *result)
{
    (void)request;
    *result = (taskcell_handlers_types_elicit_result_t){
        .action.tag = TASKCELL_HANDLERS_TYPES_ELICIT_ACTION_DECLINE,
    };
    return true;
}

//]]
//[[ elicitation
bool exports_taskcell_handlers_elicitation_handle(taskcell_handlers_types_request_context_t *context,
                                                  taskcell_handlers_types_elicit_request_t *request,
                                                  taskcell_handlers_types_elicit_result_t *result,
                                                  taskcell_handlers_types_rpc_error_t *error)
{
    (void)context, (void)error;
    return ask(request, result);
}

//]]
//[[ roots
bool exports_taskcell_handlers_roots_handle(taskcell_handlers_types_request_context_t *context,
                                            taskcell_handlers_types_list_roots_result_t *result,
                                            taskcell_handlers_types_rpc_error_t *error)
{
    (void)context, (void)error;
    taskcell_handlers_types_root_t *root = calloc(1, sizeof *root);
    if (!root)
        abort();
    handler_string_dup(&root->uri, "file:///workspace");
    root->name.is_some = true;
    handler_string_dup(&root->name.val, "workspace");
    *result = (taskcell_handlers_types_list_roots_result_t){ .roots = { root, 1 } };
    return true;
}

//]]
//[[ background
// Makes a task whose work `background` does once this answer is out.
static bool start(taskcell_handlers_types_task_metadata_t *metadata, taskcell_handlers_types_task_input_t *input,
                  taskcell_handlers_types_create_task_result_t *result, taskcell_handlers_types_rpc_error_t *error)
{
    taskcell_handlers_tasks_task_options_t options = { 0 };
    *result = (taskcell_handlers_types_create_task_result_t){ 0 };
    return taskcell_handlers_tasks_create(metadata, &options, &result->task, error)
        && taskcell_handlers_tasks_spawn(&result->task.task_id, input, error);
}

bool exports_taskcell_handlers_background_run(taskcell_handlers_types_request_context_t *context,
                                              taskcell_handlers_types_task_t *task,
                                              taskcell_handlers_types_task_input_t *input,
                                              taskcell_handlers_types_task_output_t *output,
                                              taskcell_handlers_types_rpc_error_t *error)
{
    (void)context, (void)task;
    *output = (taskcell_handlers_types_task_output_t){ .tag = input->tag };
    switch (input->tag) {
    //[[ augmented-sampling
    case TASKCELL_HANDLERS_TYPES_TASK_INPUT_SAMPLING:
        return answer(&input->val.sampling, &output->val.sampling);
    //]]
    //[[ augmented-elicitation
    case TASKCELL_HANDLERS_TYPES_TASK_INPUT_ELICITATION:
        return ask(&input->val.elicitation, &output->val.elicitation);
    //]]
    default:
        *error = (taskcell_handlers_types_rpc_error_t){ .code = -32603 };
        handler_string_dup(&error->message, "No such work is spawned");
        return false;
    }
}

//]]
//[[ augmented-sampling
bool exports_taskcell_handlers_augmented_sampling_handle(taskcell_handlers_types_request_context_t *context,
                                                         taskcell_handlers_types_task_metadata_t *task,
                                                         taskcell_handlers_types_create_message_request_t *request,
                                                         taskcell_handlers_types_create_task_result_t *result,
                                                         taskcell_handlers_types_rpc_error_t *error)
{
    (void)context;
    taskcell_handlers_types_task_input_t input = { .tag = TASKCELL_HANDLERS_TYPES_TASK_INPUT_SAMPLING };
    input.val.sampling = *request;
    return start(task, &input, result, error);
}

//]]
//[[ augmented-elicitation
bool exports_taskcell_handlers_augmented_elicitation_handle(taskcell_handlers_types_request_context_t *context,
                                                            taskcell_handlers_types_task_metadata_t *task,
                                                            taskcell_handlers_types_elicit_request_t *request,
                                                            taskcell_handlers_types_create_task_result_t *result,
                                                            taskcell_handlers_types_rpc_error_t *error)
{
    (void)context;
    taskcell_handlers_types_task_input_t input = { .tag = TASKCELL_HANDLERS_TYPES_TASK_INPUT_ELICITATION };
    input.val.elicitation = *request;
    return start(task, &input, result, error);
}

//]]
//[[ get-task
bool exports_taskcell_handlers_get_task_handle(taskcell_handlers_types_request_context_t *context,
                                               handler_string_t *task_id,
                                               taskcell_handlers_types_task_result_t *result,
                                               taskcell_handlers_types_rpc_error_t *error)
{
    (void)context;
    result->meta.is_some = false;
    return taskcell_handlers_tasks_get(task_id, &result->task, error);
}

//]]
//[[ get-task-result
bool exports_taskcell_handlers_get_task_result_handle(taskcell_handlers_types_request_context_t *context,
                                                      handler_string_t *task_id,
                                                      taskcell_handlers_types_task_output_t *output,
                                                      taskcell_handlers_types_rpc_error_t *error)
{
    (void)context;
    return taskcell_handlers_tasks_wait_for_result(task_id, output, error);
}

//]]
//[[ list-tasks
bool exports_taskcell_handlers_list_tasks_handle(taskcell_handlers_types_request_context_t *context,
                                                 handler_string_t *maybe_cursor,
                                                 taskcell_handlers_types_list_tasks_result_t *result,
                                                 taskcell_handlers_types_rpc_error_t *error)
{
    (void)context;
    return taskcell_handlers_tasks_list(maybe_cursor, result, error);
}

//]]
//[[ cancel-task
bool exports_taskcell_handlers_cancel_task_handle(taskcell_handlers_types_request_context_t *context,
                                                  handler_string_t *task_id,
                                                  taskcell_handlers_types_task_result_t *result,
                                                  taskcell_handlers_types_rpc_error_t *error)
{
    (void)context;
    result->meta.is_some = false;
    return taskcell_handlers_tasks_cancel(task_id, &result->task, error);
}
//]]
