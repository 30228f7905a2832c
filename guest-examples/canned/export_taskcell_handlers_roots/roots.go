// Roots: the lines of a setting.
package export_taskcell_handlers_roots

import (
	"strings"

	. "go.bytecodealliance.org/pkg/wit/types"
	. "wit_component/taskcell_handlers_types"
	"wit_component/wasi_config_store"
)

// Handle gives a root for each line of the setting `roots`; none without it.
func Handle(RequestContext) Result[ListRootsResult, RpcError] {
	roots := []Root{}
	setting := wasi_config_store.Get("roots")
	if setting.IsErr() {
		return Err[ListRootsResult](RpcError{Code: -32603, Message: "The settings cannot be read"})
	}
	for _, uri := range strings.Fields(setting.Ok().SomeOr("")) {
		roots = append(roots, Root{Uri: uri})
	}
	return Ok[ListRootsResult, RpcError](ListRootsResult{Roots: roots})
}
