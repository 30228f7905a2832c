//[[ elicitation
package export_taskcell_handlers_elicitation

import (
	. "go.bytecodealliance.org/pkg/wit/types"
	"wit_component/handler"
	. "wit_component/taskcell_handlers_types"
)

func Handle(_ RequestContext, request ElicitRequest) Result[ElicitResult, RpcError] {
	return handler.Elicitation(request)
}
//]]
