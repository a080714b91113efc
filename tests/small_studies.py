"""Studies of seconds."""

from transfer_jax import settings


def tiny(**changes):
    """A study of seconds: phantoms of 32 pixels, a few steps."""
    config = settings.template()
    config.devices = 1
    config.repeats = 2
    config.threshold_auc = 0.55
    config.source.kind = "train"
    config.source.data.update(
        phantom="texture", size=32, train=32, val=16, task="multiclass", labels=("texture",)
    )
    config.source.recipe.update(steps=3, batch_size=8, eval_every=3, checkpoint_every=2)
    config.data.update(phantom="fundus", size=32, train=48, val=24, labels=("grade",), threshold=2)
    config.data.augment.update(flip=True, shift=1)
    config.recipe.update(steps=6, batch_size=8, eval_every=2, checkpoint_every=4)
    config.arms = ("random", "mean_var", "transfusion:conv2", "pretrained")
    for path, value in changes.items():
        section, _, name = path.rpartition("__")
        target = config
        for part in section.split("__") if section else ():
            target = target[part]
        target[name] = value
    return settings.load(config)


def tiny_arms(**changes):
    """One study for all that looks at finished ones: two arms, two folds, and networks so thin
    that a few images give positions enough.
    """
    thin = {
        "network_options__widths": (8, 8, 12, 12),
        "data__folds": 2,
        "data__held_out": "both",
        "source__recipe__steps": 2,
        "source__recipe__eval_every": 2,
    }
    return tiny(
        **{
            **thin,
            "recipe__steps": 4,
            "recipe__eval_every": 4,
            "arms": ("random", "transfusion:conv2+gabor"),
            **changes,
        }
    )
