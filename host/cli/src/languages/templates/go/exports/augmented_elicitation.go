//[[ augmented-elicitation
package export_taskcell_handlers_augmented_elicitation

import (
	. "go.bytecodealliance.org/pkg/wit/types"
	"wit_component/handler"
	. "wit_component/taskcell_handlers_types"
)

func Handle(_ RequestContext, task TaskMetadata, request ElicitRequest) Result[CreateTaskResult, RpcError] {
	return handler.Start(task, MakeTaskInputElicitation(request))
}
//]]
