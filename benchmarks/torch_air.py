"""A plain eager PyTorch AIR, with which `test_air.py` compares.

Eslami et al. 2016 as it is usually written in PyTorch: windows are read and written by
`affine_grid` and `grid_sample`, and each step is a Python step. Same sizes, same
enumerated bound, same residual and same optimizer as `keras_attend`'s AIR with its
defaults; nothing in it is slow on purpose, and nothing is tuned.
"""

import math

import torch
import torch.nn.functional as F
from torch import nn
from torch.distributions import Normal, kl_divergence

HIDDEN = 200
SIDE, SIDE_STD, CENTER_STD = 17.0, 0.08, 0.35  # of the window, a priori
SIGMA, PRESENCE = 0.3, 0.01


class Encoder(nn.Module):
    """Mean and standard deviation of a few numbers."""

    def __init__(self, inputs, outputs):
        super().__init__()
        self.hidden = nn.Linear(inputs, HIDDEN)
        self.both = nn.Linear(HIDDEN, 2 * outputs)

    def forward(self, x):
        loc, scale = self.both(F.relu(self.hidden(x))).chunk(2, 1)
        return Normal(loc, F.softplus(scale + 0.5413) + 1e-4)


class TorchAIR(nn.Module):
    def __init__(self, size=50, steps=3, window=20, what=50, units=256):
        super().__init__()
        self.size, self.steps, self.window, self.units = size, steps, window, units
        self.what = what
        self.embedding = nn.Linear(2 * (size // 2) ** 2, units)
        self.lstm = nn.LSTMCell(units + 3 + what + 1, units)
        self.search = nn.Linear(units, HIDDEN)
        self.found = nn.Linear(HIDDEN, 7)
        self.encoder = Encoder(window**2, what)
        self.decoder = nn.Linear(what, HIDDEN)
        self.shape = nn.Linear(HIDDEN, window**2)

    def forward(self, images):  # [B, 1, H, W]
        B = len(images)
        unit = Normal(torch.tensor(0.0), torch.tensor(1.0))
        small = F.avg_pool2d(images, 2).flatten(1)
        h, c = torch.zeros(B, self.units), torch.zeros(B, self.units)
        where, what = torch.zeros(B, 3), torch.zeros(B, self.what)
        present, canvas = torch.ones(B, 1), torch.zeros_like(images)
        logits, K = [], [torch.zeros(B)]
        L = [self.log_likelihood(images, canvas)]
        for _ in range(self.steps):
            left = small - F.avg_pool2d(canvas.detach(), 2).flatten(1)
            seen = F.relu(self.embedding(torch.cat([small, left], 1)))
            h, c = self.lstm(torch.cat([seen, where, what, present], 1), (h, c))
            both = self.found(F.relu(self.search(h)))
            q_where = Normal(both[:, 1:4], F.softplus(both[:, 4:] + 0.5413) + 1e-4)
            where = q_where.rsample()
            scale, shift = self.place(where)
            patch = self.read(images, scale, shift)
            q_what = self.encoder(patch.flatten(1))
            what = q_what.rsample()
            drawn = torch.sigmoid(self.shape(F.relu(self.decoder(what))))
            drawn = drawn.view(B, 1, self.window, self.window)
            canvas = canvas + self.write(drawn, scale, shift)
            cost = kl_divergence(q_where, unit).sum(1)
            cost = cost + kl_divergence(q_what, unit).sum(1)
            K.append(K[-1] + cost)
            L.append(self.log_likelihood(images, canvas))
            logits.append(both[:, 0])
            present = torch.sigmoid(both[:, :1])
        return torch.stack(logits, 1), torch.stack(L, 1), torch.stack(K, 1)

    def place(self, where):
        """Half a window's side and its centre, in half sides of the picture."""
        scale = SIDE / self.size * torch.exp(SIDE_STD * where[:, 0])
        return scale, CENTER_STD * where[:, 1:]

    def read(self, images, scale, shift):
        size = (len(images), 1, self.window, self.window)
        grid = F.affine_grid(matrices(scale, shift), size, align_corners=False)
        return F.grid_sample(images, grid, align_corners=False)

    def write(self, patch, scale, shift):
        size = (len(patch), 1, self.size, self.size)
        inverse = matrices(1 / scale, -shift / scale[:, None])
        grid = F.affine_grid(inverse, size, align_corners=False)
        return F.grid_sample(patch, grid, align_corners=False)

    @staticmethod
    def log_likelihood(images, canvas):
        return Normal(canvas, SIGMA).log_prob(images).sum((1, 2, 3))


def matrices(scale, shift):
    """Affine maps `[B, 2, 3]`."""
    zero = torch.zeros_like(scale)
    rows = [[scale, zero, shift[:, 0]], [zero, scale, shift[:, 1]]]
    return torch.stack([torch.stack(row, 1) for row in rows], 1)


def train_step(model, optimizer, images):
    """One step up the enumerated bound."""
    optimizer.zero_grad()
    logits, L, K = model(images)
    none = torch.zeros(len(images), 1)
    before = torch.cat([none, F.logsigmoid(logits).cumsum(1)], 1)
    log_q = before + torch.cat([F.logsigmoid(-logits), none], 1)
    log_p = math.log(PRESENCE) * torch.arange(model.steps + 1).float()
    log_p = log_p - torch.logsumexp(log_p, 0)
    bound = (log_q.exp() * (L - K + log_p - log_q)).sum(1)
    (-bound.mean()).backward()
    torch.nn.utils.clip_grad_norm_(model.parameters(), 200.0)
    optimizer.step()
    return bound.mean().item()
