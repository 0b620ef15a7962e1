"""The main job as Python functions of a workspace; `import kuajie` offers them all.

```python
workspace = kuajie.Workspace.open("my-workspace")
kuajie.import_data(workspace)
kuajie.train(workspace)
kuajie.recommend(workspace, "courses:42", "car_parts", k=5)
```
"""

from kuajie.api.asking import open_server, recommend, rising, search
from kuajie.api.measuring import evaluate, tradeoff, tune
from kuajie.api.models import loop_once, refit, train
from kuajie.api.people import profile, segment_people
from kuajie.api.snapshots import import_data, newest_dataset
from kuajie.workflows.benchmark import benchmark
from kuajie.workflows.workspace import Workspace

__all__ = [
    "Workspace",
    "benchmark",
    "evaluate",
    "import_data",
    "loop_once",
    "newest_dataset",
    "open_server",
    "profile",
    "recommend",
    "refit",
    "rising",
    "search",
    "segment_people",
    "tradeoff",
    "train",
    "tune",
]
