"""Real data of the convergence studies: from ChestX-ray14 to pneumonia in children (Kermany)."""

from ml_collections import config_dict

SOURCE, TARGET = "data/cxr_nih14", "data/cxr_kermany"
_LABELS = ("Pneumonia", "Infiltration", "view", "sex")


def chest(
    config: config_dict.ConfigDict,
    *,
    source_steps: int,
    steps: int,
    eval_every: int,
    learning_rate: float = 1e-3,
) -> None:
    """Sets the source, data and recipe of a config.

    tools.prepare makes both folders (docs/data.md).

    Args:
      config: A `template()`.
      source_steps: Number of steps of the pretraining.
      steps: Number of steps of the transfer.
      eval_every: Number of steps between evaluations of the transfer.
      learning_rate: Learning rate of both.
    """
    training = {"learning_rate": learning_rate, "schedule": "cosine"}
    source = config.source
    source.kind = "train"
    source.data.update(kind="records", path=SOURCE, task="multilabel", labels=_LABELS)
    source.data.augment.update(flip=True, shift=4)
    source.recipe.update(steps=source_steps, eval_every=max(1, source_steps // 4), **training)
    config.data.update(kind="records", path=TARGET, labels=("pneumonia",))
    config.data.augment.update(flip=True, shift=4)
    config.recipe.update(
        steps=steps, eval_every=eval_every, checkpoint_every=max(1, steps // 2), **training
    )
    config.threshold_auc = 0.95
