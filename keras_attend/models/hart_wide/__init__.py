"""Temporary home of the wide HART."""

from keras_attend.models.hart_wide.wide_cell import WideHARTCell
from keras_attend.models.hart_wide.wide_model import WideHART

__all__ = ["WideHART", "WideHARTCell"]
