"""What models of order can be told; nothing here imports PyTorch."""

from typing import Literal, Self

import pydantic

from kuajie.core.config import Config
from kuajie.core.texts import Text
from kuajie.models.deep.configs import Count, DeepConfig, NotNegative, Part, Positive, TrainingConfig
from kuajie.models.sequence import SequenceConfig
from kuajie.models.trend import TrendConfig


class OrderTraining(TrainingConfig):
    """The training loop of models of order: a row of a batch is a whole history.

    A thousand people among all items find too little in ten places to tell epochs apart, so it validates on candidates.
    """

    batch_size: Count = 32
    learning_rate: Positive = 2e-3
    patience: Count = 5
    candidates: Count | None = 999


class ContrastConfig(Config):
    """A loss that brings together what two domains say of one person (`losses.info_nce_loss`).

    Attributes:
        weight: of this loss beside the model's own.
        temperature: the smaller, the more the most alike people count.
    """

    weight: Positive = 0.1
    temperature: Positive = 0.2


class FineTuneConfig(Config):
    """Turning the network towards each target once it knows all domains (`deep.finetune`).

    A target keeps what was tuned only where that is better on the rows held out.

    Attributes:
        which: biases, lora (few numbers beside every matrix) or all; never the tables of items.
        rank: of lora.
        epochs: at most.
        learning_rate: of AdamW.
    """

    which: Literal["biases", "lora", "all"] = "lora"
    rank: Count = 8
    epochs: Count = 10
    learning_rate: Positive = 1e-3


class OrderConfig(DeepConfig):
    """What every deep model of order has.

    Attributes:
        dim: size of the items' vectors.
        length: newest entries of a history that are read.
        dropout: part of the activations that is dropped while training.
        loss: softmax over the items of the entry's domain, or BPR-max against drawn ones.
        negatives: items drawn for each batch and domain that the loss is estimated on; None: all items.
        contrast: cross-domain contrastive loss; None: none.
        diversity: weight of the similarity of items in one list (`losses.similarity_of_lists`), which it lowers.
        trend: recent use as a factor of the scores; None: none. Needs times.
        prior: a sequence-aware neighbourhood whose scores the network's probabilities are multiplied to; None: none.
        prior_weight: the power of the probabilities where there is a prior.
        fine_tune: of the network that was trained on all domains, for each target; None: none.
    """

    dim: Count = 64
    length: Count = 50
    dropout: Part = 0.3
    loss: Literal["softmax", "bpr-max"] = "softmax"
    negatives: Count | None = 512
    contrast: ContrastConfig | None = None
    diversity: NotNegative = 0.0
    trend: TrendConfig | None = None
    prior: SequenceConfig | None = None
    prior_weight: NotNegative = 0.2
    fine_tune: FineTuneConfig | None = None
    training: OrderTraining = OrderTraining()

    @pydantic.model_validator(mode="after")
    def _negatives_are_drawn(self) -> Self:
        if self.loss == "bpr-max" and self.negatives is None:
            raise ValueError(Text("loss = bpr-max needs negatives"))
        return self


class SASRecConfig(OrderConfig):
    """Self-attention over the history (SASRec).

    Attributes:
        blocks: of attention and a feed-forward layer.
        heads: of each attention; they divide `dim`.
    """

    kind: Literal["sasrec"] = "sasrec"
    blocks: Count = 2
    heads: Count = 1

    @pydantic.model_validator(mode="after")
    def _heads_divide(self) -> Self:
        if self.dim % self.heads:
            raise ValueError(Text("heads must divide dim, got {heads} and {dim}", heads=self.heads, dim=self.dim))
        return self


class GRU4RecConfig(OrderConfig):
    """A recurrent network over the history (GRU4Rec).

    Attributes:
        hidden: size of the state.
        layers: of units, one on the other.
    """

    kind: Literal["gru4rec"] = "gru4rec"
    hidden: Count = 128
    layers: Count = 1


class CaserConfig(OrderConfig):
    """Convolutions over the newest entries (Caser).

    Attributes:
        window: entries that the filters see.
        filters: horizontal ones of each height.
        vertical: vertical ones.
    """

    kind: Literal["caser"] = "caser"
    window: Count = 5
    filters: Count = 16
    vertical: Count = 4
