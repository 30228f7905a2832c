// Answers `sampling/createMessage` with a text that quotes the last thing the user said.

export const sampling = {
  handle(context, request) {
    const messages = request.messages.filter((message) => message.role === "user");
    const said = messages.flatMap((message) => message.content).findLast((content) => content.tag === "text");
    return {
      role: "assistant",
      content: [{ tag: "text", val: { text: `You said: ${said?.val.text ?? ""}` } }],
      model: "fixed",
      stopReason: "endTurn",
    };
  },
};
