//[[ augmented-sampling
package export_taskcell_handlers_augmented_sampling

import (
	. "go.bytecodealliance.org/pkg/wit/types"
	"wit_component/handler"
	. "wit_component/taskcell_handlers_types"
)

func Handle(_ RequestContext, task TaskMetadata, request CreateMessageRequest) Result[CreateTaskResult, RpcError] {
	return handler.Start(task, MakeTaskInputSampling(request))
}
//]]
