"""Race as free text in CheXpert's demographics, merged to the four groups of Wen & Yap (section 4.4); Hispanic is passed over as there."""

from transfer_jax.data.items import MISSING

GROUPS = ("Asian", "Black", "Native American", "White")

# Pacific Islanders are in none of the paper's four groups, "other" and what is unknown neither.
_TEXTS = {
    "Asian": ("asian", "asian, non-hispanic", "asian, hispanic", "asian - historical conv"),
    "Black": ("black", "black or african american", "black, non-hispanic", "black, hispanic"),
    "Native American": ("native american", "american indian or alaska native", "native american, non-hispanic", "native american, hispanic"),
    "White": ("white", "white, non-hispanic", "white, hispanic"),
    "": (
        "", "other", "other, non-hispanic", "other, hispanic", "unknown", "patient refused", "race and ethnicity unknown",
        "native hawaiian or other pacific islander", "pacific islander", "pacific islander, non-hispanic", "pacific islander, hispanic",
    ),
}  # fmt: skip
_GROUP = {text: GROUPS.index(group) if group else MISSING for group, texts in _TEXTS.items() for text in texts}


def group(text: str) -> int | None:
    """The place of a text in `GROUPS`, `MISSING` where it stands for none of them, None where it is not known here."""
    return _GROUP.get(" ".join(text.split()).lower())
