"""What the training minimises: focal loss on the heat, IoU loss on the box, relative distance on
the corners.
"""

from dataclasses import dataclass, fields

import torch
from torch import Tensor, nn
from torch.nn import functional

CORNER_WEIGHT = 1.0


@dataclass(frozen=True, slots=True)
class Maps:
    """A batch of targets.Targets as tensors, N first."""

    heat: Tensor
    mask: Tensor
    weight: Tensor
    box: Tensor
    corners: Tensor
    known: Tensor


def focal(logit: Tensor, heat: Tensor, mask: Tensor) -> Tensor:
    """CenterNet's penalty-reduced focal loss, per plate centre; cells with mask 0 are left out."""
    score = logit.sigmoid()
    centre = (heat == 1).float()
    found = centre * (1 - score).square() * functional.logsigmoid(logit)
    false = (1 - centre) * (1 - heat).pow(4) * score.square() * functional.logsigmoid(-logit)
    return -((found + false) * mask).sum() / centre.sum().clamp(min=1)


def box_loss(box: Tensor, wanted: Tensor, weight: Tensor) -> Tensor:
    """Minus the logarithm of the IoU, weighted by the target's heat."""
    left, top, right, bottom = box.unbind(1)
    left_w, top_w, right_w, bottom_w = wanted.unbind(1)
    shared = (torch.minimum(left, left_w) + torch.minimum(right, right_w)) * (
        torch.minimum(top, top_w) + torch.minimum(bottom, bottom_w)
    )
    union = (left + right) * (top + bottom) + (left_w + right_w) * (top_w + bottom_w) - shared
    iou = (shared + 0.01) / (union + 0.01)
    weight = weight[:, 0]
    return -(iou.log() * weight).sum() / weight.sum().clamp(min=1)


def corner_loss(corners: Tensor, maps: Maps) -> Tensor:
    """Mean distance of the corners, as a share of half the plate's sides, where corners are
    known.
    """
    half_width = (maps.box[:, 0] + maps.box[:, 2]) / 2
    half_height = (maps.box[:, 1] + maps.box[:, 3]) / 2
    scale = torch.stack([half_width, half_height], dim=1).repeat(1, 4, 1, 1).clamp(min=0.25)
    off = functional.smooth_l1_loss(
        corners / scale, maps.corners / scale, reduction="none", beta=0.1
    ).mean(dim=1)
    weight = (maps.weight * maps.known)[:, 0]
    return (off * weight).sum() / weight.sum().clamp(min=1)


def losses_of(net: nn.Module, batch: tuple[Tensor, Maps]) -> dict[str, Tensor]:
    """What the training sums up and takes down."""
    place = next(net.parameters()).device
    images = batch[0].to(place)
    maps = Maps(*(getattr(batch[1], f.name).to(place) for f in fields(Maps)))
    logit, box, corners = net(images.contiguous(memory_format=torch.channels_last))
    return {
        "heat": focal(logit, maps.heat, maps.mask),
        "box": box_loss(box, maps.box, maps.weight),
        "corners": CORNER_WEIGHT * corner_loss(corners, maps),
    }
