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
using SamplingRequest = taskcell_handlers_types_create_message_request_t;
using SamplingResult = taskcell_handlers_types_create_message_result_t;
using SamplingContent = taskcell_handlers_types_sampling_content_t;

static handler_string_t copy(std::string_view text, std::string_view more = {})
{
    auto *place = static_cast<char *>(std::malloc(text.size() + more.size()));
    if (!place)
        std::abort();
    more.copy(place + text.copy(place, text.size()), more.size());
    return {reinterpret_cast<uint8_t *>(place), text.size() + more.size()};
}

template <class Item> static Item *allocated(const Item &item)
{
    void *place = std::malloc(sizeof item);
    if (!place)
        std::abort();
    return new (place) Item(item);
}

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

bool exports_taskcell_handlers_sampling_handle(Context *, SamplingRequest *request, SamplingResult *result, Error *)
{
    return answer(*request, *result);
}

