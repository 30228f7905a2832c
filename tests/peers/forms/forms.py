"""Forms as pydantic, the Python SDK and fastmcp write them, and their own verdict on answers.

`forms.py forms` prints the forms as JSON: a list of objects with `generator`, `name` and `schema`.
`forms.py judge` reads a list of objects with `generator`, `name` and `content` and prints one of verdicts: null, or why
the content was refused.
"""

import datetime
import decimal
import enum
import importlib.metadata
import inspect
import ipaddress
import json
import sys
import uuid
from dataclasses import dataclass, field
from typing import Annotated, Literal, Optional, Union

from annotated_types import Gt, Len, Lt, MultipleOf
from fastmcp.server.elicitation import handle_elicit_accept, parse_elicit_response_type
from mcp.server import elicitation as sdk
from pydantic import (
    AnyUrl,
    AwareDatetime,
    BaseModel,
    EmailStr,
    Field,
    FiniteFloat,
    HttpUrl,
    NonNegativeInt,
    PositiveFloat,
    PositiveInt,
    SecretStr,
    StringConstraints,
    conint,
    conlist,
    constr,
    create_model,
)


class Color(enum.Enum):
    RED = "red"
    GREEN = "green"


class Level(enum.IntEnum):
    LOW = 1
    HIGH = 2


#: Fields of a form: a type, or a type with a default.
FIELDS = {
    "text": str,
    "whole": int,
    "number": float,
    "flag": bool,
    "optional_text": (Optional[str], None),
    "optional_whole": (Optional[int], None),
    "optional_number": (Optional[float], 0.5),
    "optional_flag": (Optional[bool], None),
    "nullable_required": Optional[str],
    "text_or_whole": Union[str, int],
    "literal": Literal["a", "b"],
    "literal_one": Literal["only"],
    "literal_whole": Literal[1, 2],
    "optional_literal": (Optional[Literal["a", "b"]], None),
    "literal_default": (Literal["a", "b"], "b"),
    "texts": list[str],
    "optional_texts": (Optional[list[str]], None),
    "texts_bounded": Annotated[list[str], Len(2, 3)],
    "literals": list[Literal["a", "b", "c"]],
    "literal_set": set[Literal["a", "b"]],
    "text_set": Annotated[set[str], Len(2, 3)],
    "email": EmailStr,
    "url": HttpUrl,
    "any_url": AnyUrl,
    "date": datetime.date,
    "date_time": datetime.datetime,
    "aware": AwareDatetime,
    "time": datetime.time,
    "duration": datetime.timedelta,
    "uuid": uuid.UUID,
    "ipv4": ipaddress.IPv4Address,
    "ipv6": ipaddress.IPv6Address,
    "decimal": decimal.Decimal,
    "secret": SecretStr,
    "positive": PositiveInt,
    "not_negative": NonNegativeInt,
    "positive_number": PositiveFloat,
    "finite": FiniteFloat,
    "between": Annotated[float, Gt(0), Lt(1)],
    "multiple": Annotated[int, MultipleOf(5), Gt(10)],
    "bounded": conint(ge=3, le=7),
    "bounded_default": (Annotated[int, Field(ge=1, le=100)], 42),
    "length": constr(min_length=5, max_length=8),
    "pattern": Annotated[str, StringConstraints(pattern=r"^[A-Z]{2}-\d{4}$")],
    "pattern_default": (Annotated[str, Field(pattern=r"^\d{3}$")], "123"),
    "described": Annotated[str, Field(title="Your name", description="As on the card", examples=["Grace"])],
    "large": Annotated[int, Field(ge=2**53 + 1)],
    "large_default": (int, 1420070400123456789),
    "list_of_email": conlist(EmailStr, min_length=1),
}

#: What fastmcp takes beside models.
RESPONSE_TYPES = {
    "text": str,
    "whole": int,
    "number": float,
    "flag": bool,
    "literal": Literal["a", "b"],
    "enum": Color,
    "one_of": ["red", "green"],
    "titled": {"low": {"title": "Low"}, "high": {"title": "High"}},
    "any_of": [["red", "green"]],
    "any_titled": [{"low": {"title": "Low"}, "high": {"title": "High"}}],
    "literals": list[Literal["a", "b"]],
    "enums": list[Color],
}


class Profile(BaseModel):
    """A form of several fields."""

    name: str = Field(min_length=1, max_length=40)
    age: int = Field(ge=0, le=150)
    color: Color
    level: Level = Level.LOW
    email: Optional[EmailStr] = None


@dataclass
class Trip:
    """A form as a dataclass."""

    city: str
    nights: int = 2
    kind: Literal["work", "fun"] = "fun"
    extras: list[Literal["bike", "meal"]] = field(default_factory=list)


def models():
    for name, spec in FIELDS.items():
        yield name, create_model("Form", value=spec if isinstance(spec, tuple) else (spec, ...))
    yield "profile", Profile


def version(package):
    return f"{package} {importlib.metadata.version(package)}"


def json_schema_of_sdk(model):
    """What `ctx.elicit` of the SDK sends."""
    if hasattr(sdk, "_validate_elicitation_schema"):
        sdk._validate_elicitation_schema(model)
        return model.model_json_schema()
    for name in ("render_elicitation_schema", "_render_elicitation_schema", "elicitation_schema"):
        if hasattr(sdk, name):
            return getattr(sdk, name)(model)
    raise LookupError("the SDK has another way to write forms")


def forms():
    """Each form: generator, name, schema, and what judges an answer."""
    for name, model in models():
        # It is the same for both versions of fastmcp.
        if hasattr(sdk, "_validate_elicitation_schema"):
            yield version("pydantic"), name, model.model_json_schema(), model.model_validate
        try:
            yield version("mcp"), name, json_schema_of_sdk(model), model.model_validate
        except (TypeError, ValueError):
            pass  # The SDK does not send it.
    responses = [*RESPONSE_TYPES.items(), ("trip", Trip), *(("model_" + name, model) for name, model in models())]
    for name, response in responses:
        try:
            config = parse_elicit_response_type(response)
        except (TypeError, ValueError):
            continue  # fastmcp does not send it.
        yield version("fastmcp"), name, config.schema, lambda content, config=config: handle_elicit_accept(config, content)


def judge(rows):
    judges = {(generator, name): check for generator, name, _, check in forms()}
    for row in rows:
        try:
            judges[row["generator"], row["name"]](row["content"])
            yield None
        except Exception as error:
            yield f"{type(error).__name__}: {error}"


if sys.argv[1] == "forms":
    written = [{"generator": generator, "name": name, "schema": schema} for generator, name, schema, _ in forms()]
    print(json.dumps(written))
else:
    print(json.dumps(list(judge(json.load(sys.stdin)))))
