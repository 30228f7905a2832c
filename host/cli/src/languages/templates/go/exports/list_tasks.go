//[[ list-tasks
package export_taskcell_handlers_list_tasks

import (
	. "go.bytecodealliance.org/pkg/wit/types"
	"wit_component/taskcell_handlers_tasks"
	. "wit_component/taskcell_handlers_types"
)

func Handle(_ RequestContext, cursor Option[string]) Result[ListTasksResult, RpcError] {
	return taskcell_handlers_tasks.List(cursor)
}
//]]
