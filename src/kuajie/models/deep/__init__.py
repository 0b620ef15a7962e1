"""Deep models on PyTorch (extra `deep`): one training loop, one base class, one file a model.

Only the configs (`configs`, `order_configs`) may be imported without PyTorch; `models.registry` imports the others when
they are asked for.
"""
