"""Small images that a classifier learns within seconds."""


def blobs(random, n=256, side=12):
    """Two classes: a bright square in the left or in the right half."""
    images = 0.1 * random.random((n, side, side, 1))
    labels = random.integers(0, 2, n).astype("int32")
    for image, label in zip(images, labels, strict=True):
        x = random.integers(0, 3) + label * side // 2
        image[4:8, x : x + 3] = 1
    return images.astype("float32"), labels
