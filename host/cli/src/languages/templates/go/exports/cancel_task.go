//[[ cancel-task
package export_taskcell_handlers_cancel_task

import (
	. "go.bytecodealliance.org/pkg/wit/types"
	"wit_component/taskcell_handlers_tasks"
	. "wit_component/taskcell_handlers_types"
)

func Handle(_ RequestContext, id string) Result[TaskResult, RpcError] {
	task := taskcell_handlers_tasks.Cancel(id)
	if task.IsErr() {
		return Err[TaskResult](task.Err())
	}
	return Ok[TaskResult, RpcError](TaskResult{Task: task.Ok()})
}
//]]
