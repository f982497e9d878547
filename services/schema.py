"""What the JSON files of a package are made of: strict models, and the values that recur."""

from pathlib import Path
from typing import Annotated, Final

from pydantic import BaseModel, ConfigDict, Field, ValidationError

REST: Final = "*"  # in place of a label's id: all labels that are not named

Probability = Annotated[float, Field(ge=0, le=1)]
Name = Annotated[str, Field(pattern="^[a-z][a-z0-9-]{0,62}$")]
LabelId = Annotated[str, Field(pattern="^[a-z0-9][a-z0-9_]{0,62}$")]
LabelOrRest = Annotated[str, Field(pattern=r"^(\*|[a-z0-9][a-z0-9_]{0,62})$")]
Version = Annotated[str, Field(pattern=r"^\d+\.\d+\.\d+(-[0-9A-Za-z.-]+)?$")]
# Within a model's version a set's values never change under its id: a change is the next number.
ThresholdSetId = Annotated[
    str, Field(pattern="^[a-z][a-z0-9-]*-v[1-9][0-9]*$", min_length=4, max_length=63)
]


class Strict(BaseModel):
    """Frozen, and refuses what it does not know: a misspelt key is an error, not a default."""

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)


def problems(path: Path, error: ValidationError) -> str:
    """Everything that is wrong with a file, in one line."""
    lines = (
        ": ".join(filter(None, (".".join(map(str, problem["loc"])), problem["msg"])))
        for problem in error.errors()
    )
    return f"{path}: " + "; ".join(lines)
