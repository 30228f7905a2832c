"""Answers `sampling/createMessage` with a text that quotes the last thing the user said."""

from wit_world import exports
from wit_world.imports.types import (
    CreateMessageRequest, CreateMessageResult, RequestContext, Role, SamplingContent_Text, TextContent,
)


class Sampling(exports.Sampling):
    def handle(self, context: RequestContext, request: CreateMessageRequest) -> CreateMessageResult:
        said = [content for message in request.messages if message.role == Role.USER for content in message.content]
        texts = [content.value.text for content in said if isinstance(content, SamplingContent_Text)]
        answer = TextContent(f"You said: {texts[-1] if texts else ''}", annotations=None, meta=None)
        return CreateMessageResult(Role.ASSISTANT, [SamplingContent_Text(answer)], "fixed", "endTurn", meta=None)
