// Package begin makes tasks of requests.
package begin

import (
	. "go.bytecodealliance.org/pkg/wit/types"
	"wit_component/taskcell_handlers_tasks"
	. "wit_component/taskcell_handlers_types"
)

// Work makes a task and hands its work to the background.
func Work(metadata TaskMetadata, input TaskInput) Result[CreateTaskResult, RpcError] {
	options := taskcell_handlers_tasks.TaskOptions{PollInterval: Some[uint32](100), StatusMessage: Some("begun")}
	created := taskcell_handlers_tasks.Create(metadata, options)
	if created.IsErr() {
		return Err[CreateTaskResult](created.Err())
	}
	task := created.Ok()
	if spawned := taskcell_handlers_tasks.Spawn(task.TaskId, input); spawned.IsErr() {
		return Err[CreateTaskResult](spawned.Err())
	}
	return Ok[CreateTaskResult, RpcError](CreateTaskResult{Task: task})
}
