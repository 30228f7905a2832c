// Sampling as a task.
package export_taskcell_handlers_augmented_sampling

import (
	. "go.bytecodealliance.org/pkg/wit/types"
	"wit_component/begin"
	. "wit_component/taskcell_handlers_types"
)

// Handle makes a task of a request.
func Handle(_ RequestContext, task TaskMetadata, request CreateMessageRequest) Result[CreateTaskResult, RpcError] {
	return begin.Work(task, MakeTaskInputSampling(request))
}
