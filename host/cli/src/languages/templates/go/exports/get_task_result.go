//[[ get-task-result
package export_taskcell_handlers_get_task_result

import (
	. "go.bytecodealliance.org/pkg/wit/types"
	"wit_component/taskcell_handlers_tasks"
	. "wit_component/taskcell_handlers_types"
)

func Handle(_ RequestContext, id string) Result[TaskOutput, RpcError] {
	return taskcell_handlers_tasks.WaitForResult(id)
}
//]]
