// A handler: it answers what an MCP server asks of its client.
//
// The bindings free what an answer holds, so all of it is allocated. What a request holds may be left: it goes with the
// cell.

#include <stdlib.h>
#include <string.h>

#include "handler.h"

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

bool exports_taskcell_handlers_sampling_handle(taskcell_handlers_types_request_context_t *context,
                                               taskcell_handlers_types_create_message_request_t *request,
                                               taskcell_handlers_types_create_message_result_t *result,
                                               taskcell_handlers_types_rpc_error_t *error)
{
    (void)context, (void)error;
    return answer(request, result);
}

