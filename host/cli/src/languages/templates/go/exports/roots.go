//[[ roots
package export_taskcell_handlers_roots

import (
	. "go.bytecodealliance.org/pkg/wit/types"
	"wit_component/handler"
	. "wit_component/taskcell_handlers_types"
)

func Handle(_ RequestContext) Result[ListRootsResult, RpcError] {
	return handler.Roots()
}
//]]
