// Handler of tasks/result.
package export_taskcell_handlers_get_task_result

import (
	. "go.bytecodealliance.org/pkg/wit/types"
	"wit_component/taskcell_handlers_tasks"
	. "wit_component/taskcell_handlers_types"
)

// Handle waits until a task is final and gives its outcome.
func Handle(_ RequestContext, taskId string) Result[TaskOutput, RpcError] {
	return taskcell_handlers_tasks.WaitForResult(taskId)
}
