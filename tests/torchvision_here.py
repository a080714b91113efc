"""torchvision, also where its compiled operators do not go with the torch that is installed (a CPU
build of torch beside a CUDA build of it).

Importing it then fails for want of a few operators' names. They are declared here; none of its
classification networks uses them.
"""

import re
import sys

import torch

_DECLARED = []


def networks():
    """The module `torchvision.models`."""
    while True:
        try:
            import torchvision.models

            return torchvision.models
        except RuntimeError as error:
            missing = re.search(r"operator torchvision::(\w+) does not exist", str(error))
            if missing is None or missing[1] in _DECLARED:
                raise
            _DECLARED.append(missing[1])
            library = torch.library.Library("torchvision", "FRAGMENT")
            library.define(f"{missing[1]}(Tensor x) -> Tensor")
            _DECLARED.append(library)  # kept: an operator goes with its library
            for name in [name for name in sys.modules if name.split(".")[0] == "torchvision"]:
                del sys.modules[name]
