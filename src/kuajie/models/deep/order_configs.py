"""What models of order can be told; nothing here imports PyTorch."""

from typing import Literal

from kuajie.models.deep.configs import Count, DeepConfig, NotNegative, Part, TrainingConfig


class OrderConfig(DeepConfig):
    """What every deep model of order has.

    Attributes:
        dim: size of the items' vectors.
        length: newest entries of a history that are read.
        dropout: part of the activations that is dropped while training.
        negatives: items drawn for each batch and domain that the softmax is estimated on; None: all items.
        temperature: scores are cosines over this; 0: plain products.
    """

    dim: Count = 64
    length: Count = 50
    dropout: Part = 0.3
    negatives: Count | None = None
    temperature: NotNegative = 0.0


class SASRecConfig(OrderConfig):
    """Self-attention over the history (SASRec).

    Attributes:
        blocks: of attention and a feed-forward layer.
        heads: of each attention; they divide `dim`.
    """

    kind: Literal["sasrec"] = "sasrec"
    blocks: Count = 2
    heads: Count = 1
    training: TrainingConfig = TrainingConfig()
