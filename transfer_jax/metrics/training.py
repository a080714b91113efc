"""Running averages of a training run, as a clu collection that lives on the device inside the member's state."""

import flax
from clu import metrics


@flax.struct.dataclass
class TrainMetrics(metrics.Collection):
    """Mean loss and mean accuracy over the targets seen since the collection was last emptied."""

    loss: metrics.Average.from_output("loss")  # type: ignore[valid-type]
    accuracy: metrics.Average.from_output("accuracy")  # type: ignore[valid-type]
