r"""Natural or medical pretraining: whether networks of two sources become alike, and whether they
make the same mistakes.

Reproduces in small: Juodelyte et al. 2023, figures 3, 5 and 6 (ResNet-50 from ImageNet and from
RadImageNet on seven targets, five folds, 10,000 sampled positions of 64 channels). A run is one
source; two runs are compared by a tool:

  python -m transfer_jax.main --config=configs/juodelyte.py:natural --workdir=runs/natural
      source: generated textures
  python -m transfer_jax.main --config=configs/juodelyte.py:medical --workdir=runs/medical
      source: ChestX-ray14
  python -m transfer_jax.tools.compare runs/natural:pretrained runs/medical:pretrained \
      --sampling --out=figures_3_and_5.html
  python -m transfer_jax.tools.gains runs/natural runs/medical --out=figure_6.png

Ours, CBR-Small at 64 x 64 pixels on Kermany's pneumonia (2026-11-27, 2 CPU cores beside other
work, 20 to 22 minutes per run; all of it: BUILD_NOTES.md, "Studies"): test AUC over five folds
random 0.971 ± 0.005, natural 0.981 ± 0.003 (head first 0.971 ± 0.007), medical 0.977 ± 0.002 (head
first 0.969 ± 0.009). The two sources' networks become more alike (0.58 0.46 0.44 0.45 before, 0.60
0.49 0.49 0.54 after training), and each is more like what it began from (0.81 0.60 0.49 0.49 and
0.80 0.64 0.56 0.52); both right or both wrong on 0.965 of the images, 0.892 if independent.

`:imagenet` and `:radimagenet` are the paper's own: ResNet-50 in Keras' layout at the size of the
prepared images, weights/imagenet.h5 and weights/RadImageNet-ResNet50_notop.h5 (not fetched by this
project), Keras' augmentation and normalisation. They want a GPU, and were not run here.

Folds are those of their later code: 80 % of the images train, 5 % validate, 15 % test.
--config.data.held_out=both is the protocol of the paper, in which a fold validates and tests.

The data are made by `python -m transfer_jax.tools.prepare` (docs/data.md).
"""

from transfer_jax import settings

_WEIGHTS = {
    "imagenet": "weights/imagenet.h5",
    "radimagenet": "weights/RadImageNet-ResNet50_notop.h5",
}


def get_config(variant: str = "medical"):
    """The study's config; variant "natural", "medical", "imagenet" or "radimagenet"."""
    config = settings.template()
    config.name = f"juodelyte_{variant}"
    config.repeats = 5
    if variant in ("natural", "medical"):
        _small(config, variant)
    elif variant in _WEIGHTS:
        _paper(config, variant)
    else:
        raise ValueError(
            f"unknown variant {variant!r} of configs/juodelyte.py: choose one of natural, medical,"
            f" {', '.join(_WEIGHTS)}"
        )
    config.data.folds = 5
    config.data.held_out = "split"
    config.metrics = ("accuracy",)
    config.similarity.update(kind="sampled", images=1000, at_end=True)
    config.arms = (
        settings.arm("random", name="random", scheme="glorot_uniform"),
        settings.arm("pretrained"),
        settings.arm("pretrained", name="head_first", phases=_head_first(config)),
    )
    return config


def _head_first(config):
    """The head alone for a third of the training at most, until the accuracy stalls; then all.

    Her code gives each of the two phases as many epochs as the training without a frozen phase has;
    here all arms have the same budget.
    """
    recipe = config.recipe
    unit, length = ("steps", recipe.steps) if recipe.epochs is None else ("epochs", recipe.epochs)
    head = length // 3
    return settings.head_first(head, length - head, unit=unit, patience=2, select="accuracy")


def _small(config, variant):
    config.network = "cbr_small"
    settings.chest(config, source_steps=300, steps=60, eval_every=20)
    if variant == "natural":
        source = settings.template().source.data
        source.update(
            phantom="texture", size=48, train=2048, val=256, task="multiclass", labels=("texture",)
        )
        config.source.data = source


def _paper(config, variant):
    config.network = "resnet50"
    config.network_options.update(layout="keras", dropout=0.5)
    config.source.update(kind="weights", path=_WEIGHTS[variant], normalisation="caffe")
    config.data.update(
        kind="records", path="data/cxr_kermany", labels=("pneumonia",), preset="juodelyte_chest"
    )
    config.recipe.update(
        epochs=200,
        batch_size=128,
        learning_rate=1e-5,
        eval_every_epochs=1,
        checkpoint_every=300,
        patience=3,
    )
