// Answers sampling/createMessage with a text that quotes the last thing the user said.
package export_taskcell_handlers_sampling

import (
	. "go.bytecodealliance.org/pkg/wit/types"
	. "wit_component/taskcell_handlers_types"
)

func Handle(_ RequestContext, request CreateMessageRequest) Result[CreateMessageResult, RpcError] {
	said := ""
	for _, message := range request.Messages {
		for _, content := range message.Content {
			if message.Role == Role_User && content.Tag() == SamplingContent_Text {
				said = content.Text().Text
			}
		}
	}
	return Ok[CreateMessageResult, RpcError](CreateMessageResult{
		Role:       Role_Assistant,
		Content:    []SamplingContent{MakeSamplingContentText(TextContent{Text: "You said: " + said})},
		Model:      "fixed",
		StopReason: Some("endTurn"),
	})
}
