"""The real data of the convergence studies: pretraining on ChestX-ray14, transfer to pneumonia in children (Kermany)."""

from ml_collections import config_dict

SOURCE, TARGET = "data/cxr_nih14", "data/cxr_kermany"
_LABELS = ("Pneumonia", "Infiltration", "view", "sex")


def chest(config: config_dict.ConfigDict, *, source_steps: int, steps: int, eval_every: int, learning_rate: float = 1e-3) -> None:
    """Sets a config's source, data and recipe; both folders are made by tools.prepare (README.md, "Real images").

    Args:
      config: a `template()`.
      source_steps: of the pretraining.
      steps: of the transfer.
      eval_every: steps between evaluations of the transfer.
      learning_rate: of both.
    """
    config.source.kind = "train"
    config.source.data.update(kind="records", path=SOURCE, task="multilabel", labels=_LABELS)
    config.source.data.augment.update(flip=True, shift=4)
    config.source.recipe.update(steps=source_steps, learning_rate=learning_rate, schedule="cosine", eval_every=max(1, source_steps // 4))
    config.data.update(kind="records", path=TARGET, labels=("pneumonia",))
    config.data.augment.update(flip=True, shift=4)
    config.recipe.update(steps=steps, learning_rate=learning_rate, schedule="cosine", eval_every=eval_every, checkpoint_every=max(1, steps // 2))
    config.threshold_auc = 0.95
