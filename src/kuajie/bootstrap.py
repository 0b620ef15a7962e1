"""The only place that names concrete adapters."""

from kuajie.storage.models import ModelFolder
from kuajie.workflows.ports import ModelStore
from kuajie.workflows.workspace import Workspace


def model_store(workspace: Workspace) -> ModelStore:
    """Where a workspace keeps its models."""
    return ModelFolder(workspace.models)
