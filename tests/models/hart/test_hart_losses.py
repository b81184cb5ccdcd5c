import numpy as np
from hart_case import SIDE, numpy

from keras_attend.losses import masked_mean
from keras_attend.models.hart.losses import by_steps


def softplus(x):
    return np.maximum(x, 0) + np.log1p(np.exp(-np.abs(x)))


def test_losses_by_hand(trained):
    """The six losses and the learned weights, in plain loops."""
    model, x, found = trained.model, trained.x, trained.found
    found = {name: value[:3] for name, value in found.items()}
    x = {name: value[:3] for name, value in x.items()}
    present = np.array([[1, 1, 1, 1], [1, 1, 0, 0], [1, 0, 1, 0]], "float32")
    boxes = trained.y["boxes"][:3]
    y = {"boxes": np.where(present[..., None] > 0, boxes, np.nan), "present": present}
    judged = np.array([[1, 1, 1, 1], [1, 1, 1, 0], [1, 1, 1, 1]], "float32")
    y["judged"] = judged
    named = {k: numpy(v) for k, v in model.named_losses(x, y, found).items()}

    def overlap(a, b):
        sides = [
            min(a[i] + a[2 + i], b[i] + b[2 + i]) - max(a[i], b[i]) for i in (0, 1)
        ]
        return max(sides[0], 0) * max(sides[1], 0)

    tracking, attention, appearance = np.zeros((3, *present.shape))
    for b, t in zip(*np.nonzero(present), strict=True):
        true, box, a = boxes[b, t], found["boxes"][b, t], found["region"][b, t]
        common, size = overlap(true, box), np.prod(true[2:])
        off = np.abs(box[:2] + box[2:] / 2 - true[:2] - true[2:] / 2) / true[2:]
        ratio = np.abs(np.log(box[2:] / true[2:]))
        tracking[b, t] = -np.log(common / (size + np.prod(box[2:]) - common))
        tracking[b, t] += np.concatenate([off, ratio]).mean()
        r = np.prod(a[2:]) / max(SIDE**2, 4**2 * size)
        attention[b, t] = -np.log(overlap(true, a) / size) - np.log(1 - r)
        cells = np.array(
            [
                overlap(true, [a[0] + j * a[2] / 4, a[1] + i * a[3] / 4, *(a[2:] / 4)])
                for i in range(4)
                for j in range(4)
            ]
        ) / np.prod(a[2:] / 4)
        z = found["location"][b, t].ravel()
        terms = cells / cells.mean() * softplus(-z)
        terms += (1 - cells) / (1 - cells.mean()) * softplus(z)
        appearance[b, t] = terms.mean()

    def mean(values):  # over the batch, then over steps 1 to 3
        return np.mean([values[present[:, t] > 0, t].mean() for t in (1, 2, 3)])

    np.testing.assert_allclose(named["tracking"].mean(), mean(tracking), rtol=1e-3)
    np.testing.assert_allclose(named["attention"].mean(), mean(attention), rtol=1e-3)
    expected = appearance[present > 0].mean()
    np.testing.assert_allclose(named["appearance"].mean(), expected, rtol=1e-3)
    matrices = [w for w in model.cell.get_weights() if w.ndim > 1]
    decay = 0.5 * sum((w**2).sum() for w in matrices) + found["filter_energy"].mean()
    np.testing.assert_allclose(named["l2"], 1e-4 * decay, rtol=1e-4)
    p = found["presence"]
    error = -np.where(present > 0, np.log(p), np.log(1 - p))[judged > 0].mean()
    np.testing.assert_allclose(named["presence"].mean(), error, rtol=1e-3)
    lambdas = numpy(model.loss_scales) ** 2
    parts = np.array([named[k].mean() for k in ("tracking", "attention", "appearance")])
    total = (lambdas * parts - np.log(lambdas)).sum() + named["l2"] + error
    np.testing.assert_allclose(
        numpy(model.sample_losses(x, y, found)).mean(), total, rtol=1e-3
    )
    assert np.abs(lambdas - 1).max() > 1e-3  # they were learned
    judged = present * np.array([0, 1, 1, 1], "float32")
    weighed = (numpy(by_steps(judged)) * tracking).sum(1).mean()
    np.testing.assert_allclose(weighed, numpy(masked_mean(tracking, judged)), rtol=1e-5)
