// Sampling: a setting in place of a model.
package export_taskcell_handlers_sampling

import (
	. "go.bytecodealliance.org/pkg/wit/types"
	"wit_component/settings"
	. "wit_component/taskcell_handlers_types"
)

// Handle answers with the text of a setting.
func Handle(_ RequestContext, request CreateMessageRequest) Result[CreateMessageResult, RpcError] {
	said := ""
	for _, message := range request.Messages {
		for _, content := range message.Content {
			if message.Role == Role_User && content.Tag() == SamplingContent_Text {
				said = content.Text().Text
			}
		}
	}
	answer := settings.For("sampling", said)
	if answer.IsErr() {
		return Err[CreateMessageResult](answer.Err())
	}
	return Ok[CreateMessageResult, RpcError](CreateMessageResult{
		Role:       Role_Assistant,
		Content:    []SamplingContent{MakeSamplingContentText(TextContent{Text: answer.Ok()})},
		Model:      "canned",
		StopReason: Some("endTurn"),
	})
}
