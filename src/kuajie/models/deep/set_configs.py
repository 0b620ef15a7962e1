"""What models of sets and graphs can be told; nothing here imports PyTorch."""

from pathlib import Path
from typing import Annotated, Literal

import pydantic

from kuajie.models.deep.configs import Count, DeepConfig, NotNegative, Part, Positive, TrainingConfig

Loss = Literal["softmax", "bpr", "bce"]
Share = Annotated[float, pydantic.Field(ge=0, le=1)]


class SetConfig(DeepConfig):
    """What every deep model of sets has.

    Attributes:
        dim: size of the items' vectors.
        loss: of a history's item against drawn ones: a softmax, pairs (BPR), or yes and no (binary cross-entropy).
        negatives: items drawn for each batch and domain.
        asked: entries of each person that an epoch asks for; they are drawn anew each time.
        power: a history of n items counts n^-power times their sum; 1: their mean.
    """

    dim: Count = 64
    loss: Loss = "softmax"
    negatives: Count = 500
    asked: Count = 8
    power: Share = 0.5
    training: TrainingConfig = TrainingConfig(epochs=40, batch_size=256, learning_rate=5e-3)


class GraphConfig(SetConfig):
    """What every graph model has.

    Attributes:
        rounds: from items to people and back; two layers of the papers each.
    """

    rounds: Annotated[int, pydantic.Field(ge=0)] = 3
    training: TrainingConfig = TrainingConfig(epochs=20, batch_size=512, learning_rate=1e-2, weight_decay=3.0)


class LightGCNConfig(GraphConfig):
    """Light graph convolution over people and items (LightGCN)."""

    kind: Literal["lightgcn"] = "lightgcn"


class BiTGCFConfig(GraphConfig):
    """Graph convolution in every domain with transfer between them (BiTGCF).

    Attributes:
        own: how much a person's own domain counts beside the others in what is transferred (lambda).
    """

    kind: Literal["bitgcf"] = "bitgcf"
    own: Share = 0.8


class NeuMFConfig(SetConfig):
    """A product and a perceptron of person and item (NeuMF).

    Attributes:
        hidden: width of the perceptron's layers.
        dropout: part of its activations that is dropped while training.
    """

    kind: Literal["neumf"] = "neumf"
    dim: Count = 32
    loss: Loss = "bce"
    negatives: Count = 64
    asked: Count = 4
    hidden: tuple[Count, ...] = (32, 16)
    dropout: Part = 0.1
    training: TrainingConfig = TrainingConfig(epochs=30, batch_size=256, learning_rate=5e-3, validation_people=500)


class TwoTowerConfig(SetConfig):
    """A tower over histories and a tower over items and their features.

    Attributes:
        hidden: width of the towers' hidden layer.
        temperature: scores are cosines over this.
        hashed: words and characters of texts fall into so many places.
        without_id: part of the items whose own vector is hidden in a step, so that features alone must do.
        dropout: part of the activations that is dropped while training.
    """

    kind: Literal["two-tower"] = "two-tower"
    hidden: Count = 128
    temperature: Positive = 0.1
    hashed: Count = 2**15
    without_id: Part = 0.2
    dropout: Part = 0.1
    power: Share = 1.0


class MFConfig(DeepConfig):
    """Biased matrix factorisation by gradient descent, for ratings or for use.

    Attributes:
        dim: f, size of the vectors.
        feedback: implicit: an entry is a one, everything else a weak zero; ratings: an entry is its weight.
        zeros: implicit: the weight of all pairs together, relative to the observed ones together.
        regularization: of a person's and an item's vector.
        bias_regularization: of a person's and an item's bias.
        drawn: implicit: items drawn for each batch that the zeros are estimated on.
    """

    kind: Literal["mf"] = "mf"
    dim: Count = 32
    feedback: Literal["implicit", "ratings"] = "implicit"
    zeros: Positive = 20.0
    regularization: Positive = 5.0
    bias_regularization: Positive = 5.0
    drawn: Count = 1_000
    training: TrainingConfig = TrainingConfig(epochs=40, batch_size=64, learning_rate=1e-2)


class MappingConfig(SetConfig):
    """Vectors in every domain, and mappings between them.

    Attributes:
        prior: a person's own vector counts n times against `prior` times the mapped one; 0: who has own history is
            not mapped.
    """

    prior: NotNegative = 0.0


class EMCDRConfig(MappingConfig):
    """One mapping for each pair of domains (EMCDR).

    Attributes:
        hidden: width of the mapping's layer; None: a linear mapping.
    """

    kind: Literal["emcdr"] = "emcdr"
    hidden: Count | None = 128


class PTUPCDRConfig(MappingConfig):
    """A mapping of their own for every person (PTUPCDR).

    Attributes:
        dim: the mapping has its square in numbers.
        hidden: width of the meta network's layer.
    """

    kind: Literal["ptupcdr"] = "ptupcdr"
    dim: Count = 32
    hidden: Count = 64


class CFGANConfig(DeepConfig):
    """A generator of purchase vectors and its adversary (CFGAN).

    Attributes:
        hidden: width of the generator's and the discriminator's layer.
        masked: items not in the history that are shown for every item that is; the rest is masked.
        reconstruction: weight of the squared scores of drawn items that are not in the history.
        dropout: part of the history that is hidden while training.
    """

    kind: Literal["cfgan"] = "cfgan"
    hidden: Count = 128
    masked: NotNegative = 3.0
    reconstruction: NotNegative = 0.1
    dropout: Part = 0.3
    training: TrainingConfig = TrainingConfig(epochs=60, batch_size=128, learning_rate=1e-3, patience=5)


class TunedTextConfig(SetConfig):
    """An encoder of texts, trained on which items the same people used.

    Attributes:
        encoder: folder of a sentence encoder; its sentence vectors are kept and an adapter is trained upon them.
            None: a small encoder over characters is trained from the start.
        fields: texts that are read, in this order.
        length: characters that are read, of the small encoder.
        blocks: of attention, of the small encoder.
        hashed: sequences of characters fall into so many places.
        temperature: scores are cosines over this.
    """

    kind: Literal["tuned-text"] = "tuned-text"
    encoder: Path | None = None
    fields: tuple[str, ...] = ("title", "title_en", "brand", "category", "description")
    length: Count = 48
    blocks: Count = 1
    hashed: Count = 2**15
    temperature: Positive = 0.1
    power: Share = 1.0
    training: TrainingConfig = TrainingConfig(epochs=10, batch_size=128, learning_rate=2e-3)
