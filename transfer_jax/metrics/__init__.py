"""Metrics by name, computed on the host from the scores of all images.

To add one, write a module with a function that implements `Metric`, and add a line to `METRICS`.
"""

from collections.abc import Iterable
from typing import Protocol, runtime_checkable

from transfer_jax.core import names
from transfer_jax.metrics import grades
from transfer_jax.metrics.scored import Scored, Value

__all__ = ["AUC", "METRICS", "OF_CLASSES", "Metric", "Scored", "Value", "create", "measure"]

# Name -> "module:object", imported when it is asked for.
METRICS = {
    "auc": "transfer_jax.metrics.ranking:auc",
    "average_precision": "transfer_jax.metrics.ranking:average_precision",
    "accuracy": "transfer_jax.metrics.decisions:accuracy",
    "balanced_accuracy": "transfer_jax.metrics.decisions:balanced_accuracy",
    "precision": "transfer_jax.metrics.decisions:precision",
    "recall": "transfer_jax.metrics.decisions:recall",
    "f1": "transfer_jax.metrics.decisions:f1",
    "sensitivity": "transfer_jax.metrics.decisions:sensitivity",
    "specificity": "transfer_jax.metrics.decisions:specificity",
    "top5": "transfer_jax.metrics.decisions:top5",
    "log_loss": "transfer_jax.metrics.probabilities:log_loss",
    "brier": "transfer_jax.metrics.probabilities:brier",
    "ece": "transfer_jax.metrics.probabilities:ece",
    "kappa": "transfer_jax.metrics.grades:kappa",
}
# Always measured: progress, thresholds and tables of results need it.
AUC = "auc"
# Metrics of multiclass tasks only; other tasks get NaN, with this reason.
OF_CLASSES = ("kappa", "top5")


@runtime_checkable
class Metric(Protocol):
    """A metric that compares scores with what is true."""

    def __call__(self, scored: Scored) -> list[Value]:
        """Returns the metric's numbers.

        Args:
          scored: Scores of all images; NaN, infinities, empty classes and no images at all occur.

        Returns:
          First the number over all labels, named like the metric, with label ""; then any others.
          An undefined number is NaN, with a reason.
        """


def create(name: str) -> Metric:
    """Returns a metric by its name.

    Raises:
      ConfigError: There is no such metric.
    """
    metric: Metric = names.look_up("metric", name, METRICS)
    return metric


def measure(scored: Scored, metrics: Iterable[str], referable: int | None = None) -> list[Value]:
    """Returns the numbers of some metrics, in their order.

    Args:
      scored: Scores of all images.
      metrics: Names of metrics.
      referable: First class that is referred, of a multiclass task whose numbers over all labels
        judge referable disease against the rest (see `grades.referable`). The numbers of single
        classes, and those of `OF_CLASSES`, stay as they are.

    Raises:
      ConfigError: There is no such metric, or no such class.
    """
    if referable is None:
        return [value for name in metrics for value in create(name)(scored)]
    disease, values = grades.referable(scored, referable), []
    for name in metrics:
        of_classes = create(name)(scored)
        if name not in OF_CLASSES:
            values += create(name)(disease)
            of_classes = [value for value in of_classes if value.label]
        values += of_classes
    return values
