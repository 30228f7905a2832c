"""Fills forms from a profile, and asks the user for what is required and not in it.

The profile is kept in the key-value store: the name of a field leads to its value, and a field is private when there is
a key `private/NAME`. Values are text: a number in digits, `true` or `false`, the values of a multiple choice one a line.
"""

from math import isfinite

from wit_world import exports
from wit_world.imports import store, types, user


class Elicitation(exports.Elicitation):
    def handle(self, context: types.RequestContext, request: types.ElicitRequest) -> types.ElicitResult:
        if isinstance(request, types.ElicitRequest_Url):
            return user.elicit(request)  # A page is the user's to open.
        schema = request.value.requested_schema
        required = schema.required or []
        with store.open("") as profile:
            private = [field.name for field in schema.properties if profile.exists(f"private/{field.name}")]
            kept = {field.name: profile.get(field.name) for field in schema.properties if field.name not in private}
        if any(name in private for name in required):
            return types.ElicitResult(types.ElicitAction_Decline(), meta=None)
        answers = {field.name: read(field.schema, kept.get(field.name)) for field in schema.properties}

        missing = [field for field in schema.properties if field.name in required and answers[field.name] is None]
        if missing:
            fields = types.RequestedSchema(schema.dialect, missing, [field.name for field in missing])
            answer = user.elicit(types.ElicitRequest_Form(types.ElicitForm(request.value.message, fields)))
            if not isinstance(answer.action, types.ElicitAction_Accept):
                return answer
            answers |= {entry.name: entry.value for entry in answer.action.value or []}
        entries = [types.ElicitEntry(name, value) for name, value in answers.items() if value is not None]
        return types.ElicitResult(types.ElicitAction_Accept(entries), meta=None)


def read(schema: types.PrimitiveSchema, kept: bytes | None) -> types.ElicitValue | None:
    """What is kept as an answer to a field; none where there is nothing, or nothing that fits."""
    if kept is None:
        return None
    text = kept.decode(errors="replace")
    match schema:
        case types.PrimitiveSchema_Text():
            return types.ElicitValue_Text(text)
        case types.PrimitiveSchema_Number() | types.PrimitiveSchema_Integer():
            number = to_number(text, whole=isinstance(schema, types.PrimitiveSchema_Integer))
            return None if number is None else types.ElicitValue_Number(number)
        case types.PrimitiveSchema_Boolean():
            return types.ElicitValue_Boolean(text == "true") if text in ("true", "false") else None
        case types.PrimitiveSchema_UntitledMultiSelect() | types.PrimitiveSchema_TitledMultiSelect():
            chosen = text.splitlines()
            return types.ElicitValue_TextList(chosen) if set(chosen) <= set(choices(schema.value)) else None
        case types.PrimitiveSchema_Other():
            return None
        case _:
            return types.ElicitValue_Text(text) if text in choices(schema.value) else None


def to_number(text: str, whole: bool) -> float | None:
    try:
        number = float(text)
    except ValueError:
        return None
    return number if isfinite(number) and (number.is_integer() or not whole) else None


def choices(schema) -> list[str]:
    return [option.value for option in schema.options] if hasattr(schema, "options") else schema.values
