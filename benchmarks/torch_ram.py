"""A plain eager PyTorch RAM, with which `test_ram.py` compares.

Mnih et al. 2014 as it is usually written in PyTorch: one module a part, one Python
step a glimpse, and a retina that pads the batch and cuts its patches one image at a
time. Same sizes, same policy, same loss and same optimizer as `keras_attend`'s RAM;
nothing in it is slow on purpose, and nothing is tuned.
"""

import torch
import torch.nn.functional as F
from torch import nn
from torch.distributions import Normal


class Retina(nn.Module):
    """Patches of doubling width, cropped, average pooled, flat."""

    def __init__(self, size, scales):
        super().__init__()
        self.size, self.scales = size, scales

    def forward(self, images, locations):  # [B, C, H, W], [B, 2]
        patches = []
        for k in range(self.scales):
            patch = self.crop(images, locations, self.size * 2**k)
            if k:
                patch = F.avg_pool2d(patch, 2**k)
            patches.append(patch)
        return torch.cat(patches, 1).flatten(1)  # [B, k C g g]

    @staticmethod
    def crop(images, locations, width):
        extent = torch.tensor([images.shape[3], images.shape[2]])
        half = width // 2
        # Padded by `half`, a patch's corner is where its centre was.
        corner = (0.5 * (locations + 1.0) * extent).long()
        padded = F.pad(images, (half, half, half, half))
        crops = [
            image[:, y : y + width, x : x + width]
            for image, (x, y) in zip(padded, corner.tolist(), strict=True)
        ]
        return torch.stack(crops)


class GlimpseNetwork(nn.Module):
    def __init__(self, patch_units, hidden_units, units):
        super().__init__()
        self.what_hidden = nn.Linear(patch_units, hidden_units)
        self.where_hidden = nn.Linear(2, hidden_units)
        self.what_out = nn.Linear(hidden_units, units)
        self.where_out = nn.Linear(hidden_units, units)

    def forward(self, rho, locations):
        what = self.what_out(F.relu(self.what_hidden(rho)))
        where = self.where_out(F.relu(self.where_hidden(locations)))
        return F.relu(what + where)


class Core(nn.Module):
    def __init__(self, units):
        super().__init__()
        self.from_input = nn.Linear(units, units)
        self.from_state = nn.Linear(units, units)

    def forward(self, g, h):
        return F.relu(self.from_input(g) + self.from_state(h))


class Locator(nn.Module):
    """The next location, a draw in training and the mean otherwise."""

    def __init__(self, units, std):
        super().__init__()
        self.mean = nn.Linear(units, 2)
        self.std = std

    def forward(self, h):
        mu = torch.tanh(self.mean(h.detach()))
        policy = Normal(mu, self.std)
        choice = policy.sample() if self.training else mu.detach()
        return policy.log_prob(choice).sum(1), choice.clamp(-1.0, 1.0)


class TorchRAM(nn.Module):
    def __init__(
        self, glimpses, size, scales, classes=10, hidden_units=128, units=256, std=0.11
    ):
        super().__init__()
        self.glimpses, self.units = glimpses, units
        self.retina = Retina(size, scales)
        self.glimpse_network = GlimpseNetwork(scales * size**2, hidden_units, units)
        self.core = Core(units)
        self.locator = Locator(units, std)
        self.baseliner = nn.Linear(units, 1)
        self.classifier = nn.Linear(units, classes)

    def forward(self, images):
        batch = images.shape[0]
        location = torch.rand(batch, 2) * 2.0 - 1.0
        h = torch.zeros(batch, self.units)
        log_probs, baselines = [], []
        for t in range(self.glimpses):
            h = self.core(
                self.glimpse_network(self.retina(images, location), location), h
            )
            if t < self.glimpses - 1:  # the last step looks nowhere
                log_prob, location = self.locator(h)
                log_probs.append(log_prob)
                baselines.append(self.baseliner(h.detach()).squeeze(1))
        return self.classifier(h), log_probs, baselines


def train_step(model, optimizer, images, labels):
    """One step of the hybrid loss (section 3.2)."""
    optimizer.zero_grad()
    logits, log_probs, baselines = model(images)
    log_probs = torch.stack(log_probs, 1)  # [B, T - 1]
    baselines = torch.stack(baselines, 1)
    reward = (logits.argmax(1) == labels).float()[:, None].expand_as(baselines)
    advantage = reward - baselines.detach()
    loss = (
        F.cross_entropy(logits, labels)
        + F.mse_loss(baselines, reward)
        + 0.01 * (-log_probs * advantage).sum(1).mean()
    )
    loss.backward()
    optimizer.step()
    return loss.item()
