"""Write a trained model as a SavedModel, ONNX or LiteRT file."""

from keras_attend.exporters.export import export

__all__ = ["export"]
