//[[ sampling
package export_taskcell_handlers_sampling

import (
	. "go.bytecodealliance.org/pkg/wit/types"
	"wit_component/handler"
	. "wit_component/taskcell_handlers_types"
)

func Handle(_ RequestContext, request CreateMessageRequest) Result[CreateMessageResult, RpcError] {
	return handler.Sampling(request)
}
//]]
