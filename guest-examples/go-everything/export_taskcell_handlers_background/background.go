// Background: the work of tasks, which is what the plain kinds do.
package export_taskcell_handlers_background

import (
	. "go.bytecodealliance.org/pkg/wit/types"
	"wit_component/export_taskcell_handlers_elicitation"
	"wit_component/export_taskcell_handlers_sampling"
	"wit_component/taskcell_handlers_progress"
	. "wit_component/taskcell_handlers_types"
)

// Run works on a task.
func Run(context RequestContext, _ Task, input TaskInput) Result[TaskOutput, RpcError] {
	taskcell_handlers_progress.Report(1, Some(2.0), Some("half"))
	switch input.Tag() {
	case TaskInput_Sampling:
		return output(export_taskcell_handlers_sampling.Handle(context, input.Sampling()), MakeTaskOutputSampling)
	case TaskInput_Elicitation:
		return output(export_taskcell_handlers_elicitation.Handle(context, input.Elicitation()), MakeTaskOutputElicitation)
	default:
		return Ok[TaskOutput, RpcError](MakeTaskOutputCustom(input.Custom()))
	}
}

func output[T any](result Result[T, RpcError], of func(T) TaskOutput) Result[TaskOutput, RpcError] {
	if result.IsErr() {
		return Err[TaskOutput](result.Err())
	}
	return Ok[TaskOutput, RpcError](of(result.Ok()))
}
