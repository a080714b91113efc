"""What a chest X-ray shows beside disease: its view (AP or PA) or the patient's sex, and for whom a
network is right.

Goes past: Raghu et al. 2019, whose targets are diseases, and Awatramani, who takes view and sex as
tasks to train by. The source is pneumonia in children (Kermany), the target ChestX-ray14; every
number is shown by sex, view and age as well, with the largest gap between groups. Variants "view"
and "sex":

  python -m transfer_jax.main --config=configs/view_and_sex.py:view
      1,022 s on 2 CPU cores beside other work (2026-11-27; all of it: BUILD_NOTES.md, "Studies"):
      test AUC random 0.960 ± 0.008, pretrained 0.967 ± 0.004; no difference seen between groups
  python -m transfer_jax.main --config=configs/view_and_sex.py:sex
      not measured

The data are made by `python -m transfer_jax.tools.prepare` (docs/data.md), which keeps the columns
of the groups: --keep=age,sex,view.
"""

from transfer_jax import settings

_OTHERS = {"view": ("sex", "age:40,60"), "sex": ("view", "age:40,60")}


def get_config(label: str = "view"):
    """The study's config; variant "view" or "sex"."""
    if label not in _OTHERS:
        raise ValueError(
            f"unknown variant {label!r} of configs/view_and_sex.py: choose one of"
            f" {', '.join(_OTHERS)}"
        )
    config = settings.template()
    config.name = label
    config.network = "cbr_tiny"
    config.repeats = 5
    settings.chest(config, source_steps=300, steps=60, eval_every=5)
    config.source.data.update(path=config.data.path, task="binary", labels=("pneumonia",))
    config.data.update(path="data/cxr_nih14", labels=(label,))
    config.threshold_auc = 0.8
    config.metrics = ("auc", "balanced_accuracy", "sensitivity", "specificity", "ece")
    config.evaluation.update(threshold="validation", groups=_OTHERS[label])
    config.arms = ("random", "mean_var", "transfusion:conv1", "pretrained")
    return config
