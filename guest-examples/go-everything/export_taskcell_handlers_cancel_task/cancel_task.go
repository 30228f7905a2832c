// Handler of tasks/cancel.
package export_taskcell_handlers_cancel_task

import (
	. "go.bytecodealliance.org/pkg/wit/types"
	"wit_component/taskcell_handlers_tasks"
	. "wit_component/taskcell_handlers_types"
)

// Handle ends a task.
func Handle(_ RequestContext, taskId string) Result[TaskResult, RpcError] {
	task := taskcell_handlers_tasks.Cancel(taskId)
	if task.IsErr() {
		return Err[TaskResult](task.Err())
	}
	return Ok[TaskResult, RpcError](TaskResult{Task: task.Ok()})
}
