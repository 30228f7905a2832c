// Answers `roots/list` with the setting `roots` that the operator gave: a root a line, a URI and then, if it has one, its
// name.
//
//     file:///home/ada/project My project
//     file:///tmp
//
// The bindings free what an answer holds, so all of it is allocated.

#include <stdlib.h>
#include <string.h>

#include "handler.h"

// The text up to any of these characters, and what follows it.
static size_t until(const char *text, size_t len, const char *any)
{
    size_t end = 0;
    while (end < len && !strchr(any, text[end]))
        end++;
    return end;
}

static bool fail(taskcell_handlers_types_rpc_error_t *error, const char *message)
{
    *error = (taskcell_handlers_types_rpc_error_t){ .code = -32603 };
    handler_string_dup(&error->message, message);
    return false;
}

bool exports_taskcell_handlers_roots_handle(taskcell_handlers_types_request_context_t *context,
                                            taskcell_handlers_types_list_roots_result_t *result,
                                            taskcell_handlers_types_rpc_error_t *error)
{
    (void)context;
    handler_string_t key;
    handler_string_set(&key, "roots");
    handler_option_string_t setting;
    wasi_config_store_error_t why;
    if (!wasi_config_store_get(&key, &setting, &why))
        return fail(error, "The setting \"roots\" cannot be read");
    if (!setting.is_some)
        return fail(error, "The setting \"roots\" is missing");

    const char *at = (const char *)setting.val.ptr, *end = at + setting.val.len;
    size_t lines = 1;
    for (const char *byte = at; byte < end; byte++)
        lines += *byte == '\n';
    *result = (taskcell_handlers_types_list_roots_result_t){ 0 };
    result->roots.ptr = calloc(lines, sizeof *result->roots.ptr);
    if (!result->roots.ptr)
        abort();
    while (at < end) {
        size_t line = until(at, end - at, "\r\n"), uri = until(at, line, " \t"), name = uri;
        while (name < line && strchr(" \t", at[name]))
            name++;
        if (uri) {
            taskcell_handlers_types_root_t *root = &result->roots.ptr[result->roots.len++];
            handler_string_dup_n(&root->uri, at, uri);
            root->name.is_some = name < line;
            if (root->name.is_some)
                handler_string_dup_n(&root->name.val, at + name, line - name);
        }
        at += line < (size_t)(end - at) ? line + 1 : line;
    }
    return true;
}
