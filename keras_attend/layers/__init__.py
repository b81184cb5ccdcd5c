"""Layers: a window of an image, a per-sample filter, a recurrent core."""

from keras_attend.layers.bilinear_glimpse import BilinearGlimpse
from keras_attend.layers.cells import IRNNCell, ReluLSTMCell, ZoneoutLSTMCell
from keras_attend.layers.dynamic_filter import DynamicFilter
from keras_attend.layers.efficient_v1 import EfficientV1
from keras_attend.layers.gaussian_glimpse import GaussianGlimpse
from keras_attend.layers.gaussian_params import hart_params, ratm_params
from keras_attend.layers.glimpse_cnn import GlimpseCNN
from keras_attend.layers.glimpse_match import GlimpseMatch
from keras_attend.layers.glimpse_network import GlimpseNetwork
from keras_attend.layers.patch_conv import PatchConv2D
from keras_attend.layers.recurrent_tracker import RecurrentTrackerCell
from keras_attend.layers.retina import Retina
from keras_attend.layers.spatial_softmax import SpatialSoftmax
from keras_attend.layers.template_match import TemplateMatch
from keras_attend.layers.v1 import V1
from keras_attend.layers.v1_maps import V1Maps
from keras_attend.layers.window import Window
from keras_attend.layers.window_write import WindowWrite
from keras_attend.layers.zoom_retina import ZoomRetina

__all__ = [
    "V1",
    "BilinearGlimpse",
    "DynamicFilter",
    "EfficientV1",
    "GaussianGlimpse",
    "GlimpseCNN",
    "GlimpseMatch",
    "GlimpseNetwork",
    "IRNNCell",
    "PatchConv2D",
    "RecurrentTrackerCell",
    "ReluLSTMCell",
    "Retina",
    "SpatialSoftmax",
    "TemplateMatch",
    "V1Maps",
    "Window",
    "WindowWrite",
    "ZoneoutLSTMCell",
    "ZoomRetina",
    "hart_params",
    "ratm_params",
]
