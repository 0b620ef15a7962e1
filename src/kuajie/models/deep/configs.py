"""What all deep models can be told; nothing here imports PyTorch."""

from typing import Annotated, Literal

import pydantic

from kuajie.core.config import Config

Count = Annotated[int, pydantic.Field(ge=1)]
NotNegative = Annotated[float, pydantic.Field(ge=0)]
Positive = Annotated[float, pydantic.Field(gt=0)]
Part = Annotated[float, pydantic.Field(ge=0, lt=1)]


class TrainingConfig(Config):
    """The shared training loop (`deep.training`).

    Attributes:
        epochs: at most.
        batch_size: rows of a step.
        learning_rate: of AdamW.
        weight_decay: of AdamW.
        clip: gradients are scaled down to this norm; None: never.
        patience: training ends after so many validations without a gain; the best epoch is kept.
        validation_people: one entry of each of so many people, at most a fifth, is held out to validate on; 0: none is,
            and all epochs are run.
        candidates: uniform negatives that a held-out item is ranked among; None: all items of its domain.
        precision: auto computes in bfloat16 where a CUDA device has it, in float32 elsewhere.
    """

    epochs: Count = 50
    batch_size: Count = 256
    learning_rate: Positive = 1e-3
    weight_decay: NotNegative = 0.0
    clip: Positive | None = 5.0
    patience: Count = 3
    validation_people: Annotated[int, pydantic.Field(ge=0)] = 2_000
    candidates: Count | None = None
    precision: Literal["auto", "float32", "bfloat16"] = "auto"


class DeepConfig(Config):
    """What every deep model has.

    Attributes:
        training: of the loop.
    """

    training: TrainingConfig = TrainingConfig()
