//[[ background
package export_taskcell_handlers_background

import (
	. "go.bytecodealliance.org/pkg/wit/types"
	"wit_component/handler"
	. "wit_component/taskcell_handlers_types"
)

func Run(_ RequestContext, task Task, input TaskInput) Result[TaskOutput, RpcError] {
	return handler.Background(task, input)
}
//]]
