// Roots: two of them, one without a name.
package export_taskcell_handlers_roots

import (
	. "go.bytecodealliance.org/pkg/wit/types"
	. "wit_component/taskcell_handlers_types"
)

// Handle names the roots.
func Handle(RequestContext) Result[ListRootsResult, RpcError] {
	return Ok[ListRootsResult, RpcError](ListRootsResult{Roots: []Root{
		{Uri: "file:///everything", Name: Some("everything")},
		{Uri: "file:///tmp/%C3%A9"},
	}})
}
